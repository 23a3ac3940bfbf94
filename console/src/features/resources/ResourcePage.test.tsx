import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { ResourcePage, resourceAnswer } from './ResourcePage'
import { type Answer, drawPage, page, refuse } from './testPage'

afterEach(() => vi.unstubAllGlobals())

const can = { update: { allowed: true }, delete: { allowed: false, reason: 'Only administrators delete.' }, createAccount: { allowed: true } }
const orders = { id: 'r1', name: 'orders-db', type: 'postgresql', accounts: 1, states: { verified: 1 }, settings: { host: 'db.local' }, createdAt: '2026-11-01T00:00:00Z', rev: 3, can }
const shop = { ...orders, id: 'r2', name: 'shop-east', type: 'kubernetes', clusterName: 'east', namespace: 'shop', accounts: 1, states: { in_sync: 1 } }
const account = { id: 'a1', name: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', resourceType: 'postgresql', state: 'verified', current: 3, mappings: { in_sync: 2 }, createdAt: '2026-11-01T00:00:00Z', rev: 1, can: {} }
const secret = { id: 's1', clusterId: 'c1', clusterName: 'east', resourceId: 'r2', resourceName: 'shop-east', namespace: 'shop', name: 'db', type: 'Opaque', keyCount: 2, mappedKeys: 1, state: 'in_sync', seenAt: '2026-11-01T00:00:00Z', rev: 1, can: { map: { allowed: true } } }
const mapping = { id: 'm1', accountId: 'a1', accountName: 'app_rw', resourceName: 'orders-db', clusterName: 'east', secretId: 's1', namespace: 'shop', secret: 'db', key: 'password', onWrite: 'ask', state: 'behind', written: 2, current: 3, rev: 1, can: {} }
const types = { items: [{ type: 'postgresql', name: 'PostgreSQL', description: '', fields: [{ name: 'host', label: 'Host', kind: 'host', required: true }], reconcile: true, verify: true, change: true, minLength: 1 }] }

const answer: Answer = ({ method, path, query }) => {
  if (path === '/secrets' && query.get('unmapped') === 'true') return page([{ ...secret, keys: [{ name: 'user', size: 64 }] }])
  if (method === 'PATCH') return { ...orders, rev: 4 }
  const answers: Record<string, unknown> = {
    '/resources/orders-db': orders,
    '/resources/r1': orders,
    '/resources/shop-east': shop,
    '/accounts': page([account], { counts: { verified: 1 } }),
    '/secrets': page([secret], { counts: { in_sync: 1 } }),
    '/mappings': page([mapping], { counts: { behind: 1 } }),
    '/types': types,
  }
  return answers[path]
}
const at = (address: string, answers = answer) => drawPage({ route: '/resources/$resource', at: address, page: ResourcePage, answer: answers })

test('the sentence says how many are as they should be', () => {
  expect(resourceAnswer({ ...orders, accounts: 3, states: { verified: 2, locked_out: 1 } })).toBe('3 accounts; 1 not verified.')
  expect(resourceAnswer({ ...shop, accounts: 1 })).toBe('1 Secret of namespace shop in east, in sync.')
  expect(resourceAnswer({ ...orders, accounts: 0, states: {} })).toBe('No accounts yet.')
})

test('accounts of a database, accessible', async () => {
  await at('/resources/orders-db')
  expect((await screen.findByRole('link', { name: 'app_rw' })).getAttribute('href')).toBe('/resources/orders-db/accounts/app_rw')
  expect(screen.getByRole('button', { name: 'New account' })).toBeTruthy()
  await expectAccessible()
})

test('the accounts of a namespace are its Secrets', async () => {
  await at('/resources/shop-east')
  expect((await screen.findByRole('link', { name: 'db' })).getAttribute('href')).toBe('/secrets/east/shop/db')
  expect(screen.queryByRole('button', { name: 'New account' })).toBeNull()
})

test('mapped details: mapped keys with their version, then the others with a way to map them', async () => {
  const { asked } = await at('/resources/shop-east?tab=mapped')
  const row = (await screen.findByText('v2 of v3')).closest('[role=row]')
  expect(row?.textContent).toContain('behind')
  expect(row?.textContent, 'what is done after a reset').toContain('ask first')
  expect(await screen.findByRole('button', { name: 'Map shop/db user…' })).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'Map shop/db password…' })).toBeNull()
  expect(asked.filter(({ path }) => path.startsWith('/secrets/')), 'no Secret is read for its keys').toHaveLength(0)
  await expectAccessible()
})

test('saving depends on what was read; a change meanwhile shows both sides and overwrites nothing', async () => {
  let rev = 3
  const stale: Answer = (asked) => {
    if (asked.method === 'PATCH') return refuse(412, { type: 'stale', title: 'It has changed' })
    const found = answer(asked)
    return asked.path === '/resources/r1' && rev > 3 ? { ...(found as object), rev, name: 'their-db' } : found
  }
  const { asked } = await at('/resources/orders-db?tab=connection', stale)
  fireEvent.change(await screen.findByLabelText('Name'), { target: { value: 'my-db' } })
  rev = 4
  fireEvent.click(screen.getByRole('button', { name: 'Save' }))
  expect(await screen.findByText('It has changed')).toBeTruthy()
  expect(screen.getByRole('radio', { name: 'Keep mine my-db' })).toHaveProperty('checked', true)
  expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('my-db')
  fireEvent.click(screen.getByRole('radio', { name: 'Take theirs their-db' }))
  expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('their-db')
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Save' }))
  await waitFor(() => expect(asked.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers.get('If-Match'))).toEqual(['"3"', '"4"']))
})

test('what may not be done says why and takes the focus', async () => {
  await at('/resources/orders-db?tab=connection')
  const button = await screen.findByRole('button', { name: 'Delete resource…' })
  expect(button.getAttribute('aria-disabled')).toBe('true')
  expect(button.getAttribute('aria-description')).toBe('Only administrators delete.')
  fireEvent.click(button)
  expect(screen.queryByRole('dialog')).toBeNull()
})

test('a resource that is not there says so in place', async () => {
  await at('/resources/nope', () => refuse(404, { type: 'not-found', title: 'There is no such object' }))
  expect(await screen.findByText('There is no such object')).toBeTruthy()
  expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('nope')
})
