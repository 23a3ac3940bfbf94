import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { SecretPage } from '../secrets/SecretPage'
import { type Answer, drawPage, page, refuse } from '../resources/testPage'
import { changedKeys, type Conflict, conflictsAnswer, mayKeep, standing, vaultHas } from './conflict'
import { ConflictsPage } from './ConflictsPage'
import { manyLines } from './KeepMany'

afterEach(() => vi.unstubAllGlobals())

const yes = { allowed: true }
const conflict = (part: Partial<Conflict> = {}): Conflict => ({
  id: 's1', clusterId: 'c1', clusterName: 'east', resourceId: 'r1', resourceName: 'shop-east', namespace: 'shop', name: 'db', state: 'open', policy: 'ask',
  since: '2026-11-01T00:00:00Z', changedAt: '2026-11-01T00:05:00Z', changedBy: 'kubectl-edit', heals: 0, keys: [{ name: 'note', change: 'changed', version: 2 }], rev: 4, can: { resolve: yes }, ...part,
})
const mapped = conflict({ id: 's2', name: 'api', rev: 7, keys: [{ name: 'password', change: 'changed', accountId: 'a1', accountName: 'app_rw on orders-db' }] })
const three = conflict({ id: 's3', name: 'mail', state: 'stopped', reason: 'some-operator keeps the key', cure: 'change it there', rev: 9 })

function server(more: Answer = () => undefined): Answer {
  return (asked) => {
    const own = more(asked)
    if (own !== undefined) return own
    const { method, path, body } = asked
    if (path === '/conflicts') return page([conflict(), mapped, three], { counts: { open: 2, stopped: 1, settled: 5 } })
    if (path.endsWith('/resolve')) return conflict({ id: path.split('/')[2], state: (body as { keep: string }).keep === 'cluster' ? 'settled' : 'healing', keys: [], rev: 12 })
    if (method === 'GET' && path.startsWith('/conflicts/')) return [conflict(), mapped, three].find(({ id }) => path.endsWith(id))
    return undefined
  }
}
const at = (address = '/conflicts', answer = server(), refused?: readonly string[]) => drawPage({ route: '/conflicts', at: address, page: ConflictsPage, answer, refused })
const sent = (asked: { method: string; path: string; body: unknown; headers: Headers }[]) =>
  asked.filter(({ method }) => method === 'POST').map(({ path, body, headers }) => [path, (body as { keep: string }).keep, headers.get('If-Match')])

test('the words of a conflict', () => {
  expect(changedKeys(conflict({ keys: [{ name: 'a', change: 'added' }, ...(mapped.keys ?? [])] }))).toBe('a added, password changed (app_rw on orders-db)')
  expect(vaultHas({ change: 'added' })).toBe('no such key')
  expect(vaultHas({ change: 'removed', version: 3 })).toBe('the value of version 3')
  expect(vaultHas({ change: 'changed', accountName: 'app_rw on orders-db' })).toBe('the value of the account app_rw on orders-db')
  expect(conflictsAnswer({ settled: 9 })).toBe('Nothing differs from what it should be.')
  expect(conflictsAnswer({ open: 2, stopped: 1, healing: 1 })).toBe('3 Secrets wait for a decision, 1 of them stopped. 1 is being put right.')
  expect(conflictsAnswer({ healing: 2 })).toBe('Nobody has to decide; 2 are being put right.')
  expect(standing(three)).toBe('some-operator keeps the key. Change it there.')
  expect(standing(conflict({ state: 'healing', wantedBy: 'anna' }))).toBe('The vault’s values are being written again, as anna asked.')
})

test('of what the server would refuse nothing is offered', () => {
  expect(mayKeep(conflict(), 'cluster').allowed).toBe(true)
  expect(mayKeep(mapped, 'cluster')).toMatchObject({ allowed: false, reason: expect.stringContaining('app_rw on orders-db') as string })
  expect(mayKeep(mapped, 'vault').allowed).toBe(true)
  expect(mayKeep(conflict({ state: 'healing' }), 'vault').allowed).toBe(false)
  expect(mayKeep(conflict({ can: { resolve: { allowed: false, reason: 'An auditor decides nothing.' } } }), 'vault').reason).toBe('An auditor decides nothing.')
  expect(manyLines('cluster', [conflict(), mapped])).toEqual([expect.stringMatching(/^Of 1 Secret the cluster’s values are kept/), expect.any(String), expect.stringMatching(/^Not east\/shop\/api: The key password is mapped/)])
})

test('each row says what changed where, by whom and when; what is settled waits for nobody', async () => {
  await at()
  const row = (await screen.findByRole('link', { name: 'shop/api' })).closest('[role=row]')
  expect(row?.textContent).toMatch(/open.*password changed \(app_rw on orders-db\).*kubectl-edit.*east/)
  expect(screen.getByText('3 Secrets wait for a decision, 1 of them stopped.')).toBeTruthy()
  expect(screen.getByRole('button', { name: 'All 3' })).toBeTruthy()
  await expectAccessible()
})

test('filter and sort stand in the address and are sent', async () => {
  const { asked } = await at('/conflicts?cluster=east&resource=shop-east&state=stopped&state=unheard-of&sort=-changed&q=db')
  await screen.findByRole('link', { name: 'shop/db' })
  expect(Object.fromEntries(asked[0]?.query ?? [])).toEqual({ q: 'db', cluster: 'east', resource: 'shop-east', state: 'stopped', sort: '-changed', offset: '0', limit: '200' })
})

test('one is decided beside the list, on what was read', async () => {
  const { asked } = await at('/conflicts?open=s1')
  const drawer = within(await screen.findByRole('dialog'))
  const table = await drawer.findByRole('table', { name: 'Keys of shop/db that differ' })
  expect(table.textContent).toContain('the value of version 2')
  await expectAccessible()
  fireEvent.click(drawer.getByRole('button', { name: 'Keep cluster: shop/db' }))
  expect((await drawer.findByText('Decided: what the cluster has counts.')).matches(':focus')).toBe(true)
  expect(sent(asked)).toEqual([['/conflicts/s1/resolve', 'cluster', '"4"']])
  expect(drawer.queryByRole('button', { name: /^Keep/ })).toBeNull()
})

test('a mapped key is the account’s to change, and the reason is on the page', async () => {
  await at('/conflicts?open=s2')
  const button = await screen.findByRole('button', { name: 'Keep cluster: shop/api' })
  expect(button.getAttribute('aria-disabled')).toBe('true')
  expect(screen.getByText(/is mapped to the account app_rw on orders-db/)).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Keep vault: shop/api' }).getAttribute('aria-disabled')).toBeNull()
})

test('what changed meanwhile is read again, and nothing is decided', async () => {
  let changed = false
  const { asked } = await at('/conflicts?open=s1', server(({ method, path }) => {
    if (method === 'POST') { changed = true; return refuse(412, { type: 'stale', title: 'It has changed' }) }
    return changed && path === '/conflicts/s1' ? conflict({ rev: 5, keys: [{ name: 'note', change: 'removed', version: 2 }] }) : undefined
  }))
  fireEvent.click(await screen.findByRole('button', { name: 'Keep vault: shop/db' }))
  expect(await screen.findByText('It has changed')).toBeTruthy()
  expect(await screen.findByText('removed')).toBeTruthy()
  fireEvent.click(screen.getByRole('button', { name: 'Keep vault: shop/db' }))
  await waitFor(() => expect(sent(asked).map(([, , rev]) => rev)).toEqual(['"4"', '"5"']))
})

test('many are decided at once: asked once, each on its own revision, and what failed is named', async () => {
  const { asked } = await at('/conflicts', server(({ method, path }) => (method === 'POST' && path.includes('s3') ? refuse(412, { type: 'stale', title: 'It has changed', cause: 'somebody was faster' }) : undefined)))
  for (const name of ['db', 'api', 'mail']) fireEvent.click(await screen.findByRole('checkbox', { name: `Choose east/shop/${name}` }))
  const bar = within(screen.getByRole('group', { name: 'With the chosen' }))
  expect(bar.getByText('3 chosen')).toBeTruthy()
  fireEvent.click(bar.getByRole('button', { name: 'Keep cluster…' }))
  const dialog = within(await screen.findByRole('dialog', { name: 'Keep cluster of 2 Secrets' }))
  expect(dialog.getByText(/^Not east\/shop\/api/)).toBeTruthy()
  expect(dialog.getByRole('button', { name: 'Cancel' }).matches(':focus')).toBe(true)
  await expectAccessible()
  fireEvent.click(dialog.getByRole('button', { name: 'Keep cluster of 2 Secrets' }))
  const result = await screen.findByText(/^1 Secret: what the cluster has counts. 1 Secret could not be decided/)
  await waitFor(() => expect(result.matches(':focus')).toBe(true))
  expect(screen.getByText('east/shop/mail').parentElement?.textContent).toContain('somebody was faster')
  expect(sent(asked)).toEqual(expect.arrayContaining([['/conflicts/s1/resolve', 'cluster', '"4"'], ['/conflicts/s3/resolve', 'cluster', '"9"']]))
  expect(sent(asked)).toHaveLength(2)
  expect(screen.getByText('1 chosen'), 'what could not be is still chosen').toBeTruthy()
})

test('all that match are chosen by a second click', async () => {
  const { asked } = await at('/conflicts', server(({ path, query }) => {
    if (path !== '/conflicts') return undefined
    return query.get('limit') === '500' ? page([conflict(), mapped, three]) : page([conflict(), mapped], { total: 3, counts: { open: 3 } })
  }))
  fireEvent.click(await screen.findByRole('checkbox', { name: 'Choose east/shop/db' }))
  fireEvent.click(screen.getByRole('button', { name: 'Choose all 3 that match' }))
  expect(await screen.findByText('3 chosen')).toBeTruthy()
  expect(asked.at(-1)?.query.get('limit')).toBe('500')
})

test('nothing there, no match, no right and a failure each say their own', async () => {
  const none = await at('/conflicts', () => page([], { counts: {} }))
  expect(await screen.findByText('No conflicts')).toBeTruthy()
  none.unmount()
  const filtered = await at('/conflicts?q=zzz', () => page([], { counts: {} }))
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  filtered.unmount()
  const forbidden = await at('/conflicts', server(), ['conflict.list'])
  expect(await screen.findByText('You have no grant for conflicts')).toBeTruthy()
  forbidden.unmount()
  await at('/conflicts', () => refuse(500, { title: 'The repository does not answer' }))
  expect(await screen.findByText('The repository does not answer')).toBeTruthy()
})

const secret = { id: 's1', clusterId: 'c1', clusterName: 'east', resourceId: 'r1', resourceName: 'shop-east', namespace: 'shop', name: 'db', type: 'Opaque', keyCount: 1, mappedKeys: 0, keys: [], state: 'conflict', seenAt: '2026-11-01T00:00:00Z', rev: 3, onDrift: { own: '', inForce: 'ask' }, can: { onDrift: yes } }
const onSecret = (search = '', more: Answer = () => undefined, state = 'conflict') => drawPage({
  route: '/secrets/$cluster/$namespace/$name', at: `/secrets/east/shop/db${search}`, page: SecretPage,
  answer: server((asked) => more(asked) ?? (asked.path === '/secrets' ? page([{ ...secret, state }]) : asked.path === '/secrets/s1' ? { ...secret, state } : asked.method === 'PUT' ? { own: 'ask', inForce: 'ask' } : undefined)),
})

test('a Secret’s page shows its conflict and decides it there; without one nothing is asked', async () => {
  const { asked, unmount } = await onSecret()
  fireEvent.click(await screen.findByRole('button', { name: 'Keep vault: shop/db' }))
  expect(await screen.findByText('Decided: the vault’s values are written now.')).toBeTruthy()
  expect(sent(asked)).toEqual([['/conflicts/s1/resolve', 'vault', '"4"']])
  unmount()
  const well = await onSecret('', undefined, 'in_sync')
  await screen.findByText('This Secret has no keys.')
  expect(well.asked.some(({ path }) => path.startsWith('/conflicts'))).toBe(false)
})

test('a drift policy says what holds and from where, and is changed on what was read', async () => {
  const { asked } = await onSecret('?tab=facts')
  expect(await screen.findByText(/^Now: ask, as its namespace says\./)).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Save the drift policy of shop/db' })).toHaveProperty('disabled', true)
  fireEvent.click(screen.getByRole('combobox', { name: 'Drift policy' }))
  fireEvent.click(screen.getByRole('option', { name: 'the vault wins', hidden: true }))
  expect(screen.getByText(/is written again within seconds/)).toBeTruthy()
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Save the drift policy of shop/db' }))
  await waitFor(() => expect(asked.filter(({ method }) => method === 'PUT').map(({ path, body, headers }) => [path, body, headers.get('If-Match')])).toEqual([['/secrets/s1/on-drift', { policy: 'vault_wins' }, '"3"']]))
})
