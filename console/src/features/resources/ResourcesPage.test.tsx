import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { type Answer, drawPage, page } from './testPage'
import { answerOf, ResourcesPage } from './ResourcesPage'

afterEach(() => vi.unstubAllGlobals())

const orders = { id: 'r1', name: 'orders-db', type: 'postgresql', accounts: 2, states: { verified: 1, out_of_sync: 1 }, createdAt: '2026-11-01T00:00:00Z', rev: 3, can: {} }
const types = {
  items: [
    { type: 'postgresql', name: 'PostgreSQL', description: 'Roles of a server.', fields: [{ name: 'host', label: 'Host', kind: 'host', required: true }, { name: 'port', label: 'Port', kind: 'port', default: '5432' }], verify: true, change: true, reconcile: true, minLength: 1 },
    { type: 'generic', name: 'Generic', description: 'Any system.', fields: [{ name: 'address', label: 'Address', kind: 'text' }], verify: false, change: false, reconcile: false, minLength: 1 },
  ],
}
const answer: Answer = ({ method, path }) => {
  if (path === '/types') return types
  if (method === 'POST') return { ...orders, name: 'new-db' }
  return page([orders], { counts: { postgresql: 1 } })
}
const at = (address: string, answers = answer, refused?: readonly string[]) =>
  drawPage({ route: '/resources', at: address, page: ResourcesPage, answer: answers, refused })

test('the sentence counts by type', () => {
  expect(answerOf({ kubernetes: 8, postgresql: 4 })).toBe('12 resources: 8 kubernetes, 4 postgresql.')
  expect(answerOf({ postgresql: 1 })).toBe('1 postgresql resource.')
  expect(answerOf({})).toBe('0 resources.')
})

test('the list shows what needs a person first, and is accessible', async () => {
  await at('/resources')
  const row = (await screen.findByText('orders-db')).closest('[role=row]')
  expect(row?.textContent).toMatch(/out of sync 1.*verified 1/)
  await expectAccessible()
})

test('the filter is read from the address and sent', async () => {
  const { asked } = await at('/resources?type=postgresql&cluster=east&q=ord')
  await screen.findByText('orders-db')
  expect(asked[0]?.search).toContain('type=postgresql')
  expect(asked[0]?.search).toContain('cluster=east')
  expect(asked[0]?.search).toContain('q=ord')
})

test('the three kinds of empty are told apart', async () => {
  const none: Answer = () => page([])
  const first = await at('/resources', none)
  expect(await screen.findByText('No resources yet')).toBeTruthy()
  first.unmount()
  const filtered = await at('/resources?q=zzz', none)
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  filtered.unmount()
  await at('/resources', none, ['resource.create'])
  expect(await screen.findByText('You have no grant for any resource')).toBeTruthy()
})

test('the dialog sends only what differs from the defaults, and opens the new page', async () => {
  const { asked, router } = await at('/resources?dialog=new')
  const dialog = within(await screen.findByRole('dialog'))
  fireEvent.change(await dialog.findByLabelText('Name'), { target: { value: 'new-db' } })
  fireEvent.change(dialog.getByLabelText('Host'), { target: { value: 'db.local' } })
  fireEvent.click(dialog.getByRole('button', { name: 'Make the resource' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/resources/new-db'))
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ name: 'new-db', type: 'postgresql', settings: { host: 'db.local' } })
})
