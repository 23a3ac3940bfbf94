import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { account, answers, keysOf, mapping, secret, versions } from '../accounts/fixtures'
import { drawPage, page } from '../resources/testPage'
import { type Secret, secretAnswer, troubleOf } from './secret'
import { SecretPage } from './SecretPage'
import { explorerAnswer, SecretsPage } from './SecretsPage'

afterEach(() => vi.unstubAllGlobals())

const explorer = (search = '', more: Record<string, unknown> = {}, refused?: readonly string[]) =>
  drawPage({ route: '/secrets', at: `/secrets${search}`, page: SecretsPage, answer: answers(more), refused })
const one = (search = '', more: Record<string, unknown> = {}) =>
  drawPage({
    route: '/secrets/$cluster/$namespace/$name', at: `/secrets/east/shop/db${search}`, page: SecretPage,
    answer: answers({ 'GET /secrets/s1': { ...secret, mappedKeys: 1, keys: [{ ...keysOf[0], mapping: { ...mapping, accountName: account.name } }, keysOf[1]] }, 'GET /accounts/s1/versions': { items: versions }, ...more }),
  })

test('the explorer’s sentence counts what needs a look, worst first', () => {
  expect(explorerAnswer({ in_sync: 10, tombstone: 2 })).toBe('10 Secrets, all as in their clusters.')
  expect(explorerAnswer({ in_sync: 8, drift: 2, blocked: 1 })).toBe('11 Secrets; 1 blocked, 2 drift.')
})

test('a Secret’s sentence', () => {
  const of = (part: object) => secretAnswer({ ...secret, ...part } as Secret)
  expect(of({ keyCount: 3, mappedKeys: 1 })).toBe('3 keys, 1 mapped.')
  expect(of({ keyCount: 1, mappedKeys: 1, reason: 'Both sides changed.' })).toBe('1 key, mapped. Both sides changed.')
  expect(of({ state: 'tombstone', deletedAt: '2026-11-01T00:00:00Z' })).toBe('Deleted in its cluster. Its 2 keys can still be revealed and downloaded.')
})

test('what is wrong with a mapped key is told beside the state of the Secret', () => {
  const of = (part: object) => troubleOf({ ...secret, state: 'in_sync', ...part } as Secret)
  expect(of({ mappings: { in_sync: 3 } })).toBeUndefined()
  expect(of({})).toBeUndefined()
  expect(of({ mappings: { in_sync: 1, behind: 1, hands_off: 2 } })).toEqual(['behind', 1])
  expect(of({ state: 'tombstone', mappings: { tombstone: 1 } })).toBeUndefined()
  expect(of({ state: 'drift', mappings: { drift: 1 } })).toBeUndefined()
})

test('filters of the address are sent under the server’s names', async () => {
  const { asked } = await explorer('?cluster=east&ns=shop&state=drift&type=Opaque&q=db&sort=-state')
  await screen.findByRole('link', { name: 'shop/db' })
  const { search } = asked.find(({ path }) => path === '/secrets') ?? { search: '' }
  expect(Object.fromEntries(new URLSearchParams(search))).toEqual({ cluster: 'east', namespace: 'shop', state: 'drift', type: 'Opaque', q: 'db', sort: '-state', offset: '0', limit: '200' })
})

test('a row opens beside the list, in the address, without any value or way to one', async () => {
  const { router } = await explorer()
  const link = await screen.findByRole('link', { name: 'shop/db' })
  const row = link.closest('[role=row]')
  if (row) fireEvent.click(row)
  const drawer = within(await screen.findByRole('dialog'))
  expect(await drawer.findByText('password')).toBeTruthy()
  expect(router.state.location.href).toBe('/secrets?open=s1')
  expect(drawer.queryByRole('button', { name: /Reveal/ })).toBeNull()
  await expectAccessible()
})

test('the three kinds of empty are told apart', async () => {
  const none = { 'GET /secrets': page([]) }
  const first = await explorer('', none)
  expect(await screen.findByText('No Secrets yet')).toBeTruthy()
  first.unmount()
  const filtered = await explorer('?q=zzz', none)
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  filtered.unmount()
  await explorer('', none, ['cluster.create'])
  expect(await screen.findByText('You have no grant for any Secret')).toBeTruthy()
})

test('a Secret’s keys, sizes in steps, each with its own reveal', async () => {
  const { asked } = await one('', { 'POST /accounts/s1/reveal': { version: 2, value: 'c4n4ry' } })
  expect((await screen.findByRole('link', { name: 'app_rw on orders-db' })).getAttribute('href')).toBe('/resources/orders-db/accounts/app_rw')
  expect(screen.getAllByText('≤ 64 B')).toHaveLength(2)
  fireEvent.click(screen.getByRole('button', { name: /^Reveal ?user of shop\/db$/ }))
  expect(await screen.findByText('c4n4ry')).toBeTruthy()
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ key: 'user' })
  await expectAccessible()
})

test('what is no text is not shown', async () => {
  await one('', { 'POST /accounts/s1/reveal': { version: 2, value: 'AAE=', base64: true } })
  fireEvent.click(await screen.findByRole('button', { name: /^Reveal ?user of shop\/db$/ }))
  expect(await screen.findByText('This value is not text')).toBeTruthy()
  expect(document.body.textContent).not.toContain('AAE=')
})

test('a download asks first, then saves a file', async () => {
  const made = vi.fn(() => 'blob:x')
  vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: made, revokeObjectURL: () => {} }))
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {})
  const { asked } = await one('', { 'POST /secrets/s1/download': new Response('{}') })
  fireEvent.click(await screen.findByRole('button', { name: 'Download…' }))
  const dialog = within(await screen.findByRole('dialog'))
  expect(asked.some(({ method }) => method === 'POST')).toBe(false)
  fireEvent.click(dialog.getByRole('button', { name: 'Download shop/db' }))
  await waitFor(() => expect(clicked).toHaveBeenCalledOnce())
  expect(made).toHaveBeenCalledOnce()
})

test('a deleted Secret is found and says so', async () => {
  const buried = { ...secret, state: 'tombstone', deletedAt: '2026-11-20T00:00:00Z' }
  const { asked } = await drawPage({
    route: '/secrets/$cluster/$namespace/$name', at: '/secrets/east/shop/db', page: SecretPage,
    answer: ({ path, search }) => (path === '/secrets/s1' ? { ...buried, keys: keysOf } : page(search.includes('tombstone') ? [buried] : [])),
  })
  expect(await screen.findByText(/Deleted in its cluster/)).toBeTruthy()
  expect(asked.map(({ path }) => path)).toEqual(['/secrets', '/secrets', '/secrets/s1'])
})

test('the versions of a Secret', async () => {
  await one('?tab=versions')
  expect(await screen.findByText('v2')).toBeTruthy()
  expect(screen.queryByRole('button', { name: /Reveal/ })).toBeNull()
})
