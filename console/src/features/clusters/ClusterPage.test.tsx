import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { keys } from '../../api/keys'
import { expectAccessible } from '../../test/render'
import { ClusterPage } from './ClusterPage'
import { worth } from './ClusterTabs'
import { type Fetch, fetchText, truth } from './clusters'
import { changeOf, EditPage, needsToken } from './EditPage'
import { draftOf } from './connector'
import { type Answers, cluster, drawPage, pageOf, refused } from './testing'

afterEach(() => vi.unstubAllGlobals())

const fetchOf = (part: Partial<Fetch>): Fetch => ({ id: 'f', clusterId: 'c1', kind: 'fetch', state: 'running', actor: 'anna', createdAt: '2026-11-01T00:00:00Z', total: 4812, added: 4000, changed: 0, unchanged: 98, gone: 0, skipped: 2, ...part })
const of = (it: ReturnType<typeof cluster>): Answers => ({ 'GET /clusters/prod-us': () => it, 'GET /clusters/c1': () => it, 'GET /resources': () => pageOf([]) })
const drawIt = (answers: Answers, search = '') => drawPage('/clusters/$cluster', ClusterPage, `/clusters/prod-us${search}`, answers)

test('an import is counted as it goes on, and another is not offered', async () => {
  let it = cluster({ fetch: fetchOf({ problems: [{ namespace: 'billing', name: 'tmp', reason: 'Gone between list and read' }] }) })
  const { client } = await drawIt({ ...of(it), 'GET /clusters/c1': () => it })
  // While the page loads, what it says of that is a status too.
  await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Imported 4,100 of 4,812, 2 skipped'))
  expect(screen.getByText(/Gone between list and read/)).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Sync' }).getAttribute('aria-disabled')).toBe('true')
  await expectAccessible()
  it = cluster({ fetch: fetchOf({ state: 'done', added: 4712, endedAt: '2026-11-01T00:01:00Z' }), rev: 4 })
  await act(async () => void client.invalidateQueries({ queryKey: keys.one('cluster', 'c1') })) // as an event of the fetch does
  expect(await screen.findByText(/4,712 added/)).toBeTruthy()
})

test('a cluster that is not there says so, in place', async () => {
  await drawIt({})
  expect((await screen.findByRole('alert')).textContent).toContain('refused: not-found')
})

test('Test now shows the three checks of the stored connection', async () => {
  const { asked } = await drawIt({ ...of(cluster()), 'POST /clusters/c1/test': () => ({ ok: true, checks: [{ name: 'host', state: 'done', steps: [] }] }) }, '?tab=connection')
  await act(async () => void fireEvent.click(await screen.findByRole('button', { name: 'Test now' })))
  expect(await screen.findByText('All three checks passed.')).toBeTruthy()
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({})
})

test('activity is the audit log of this cluster', async () => {
  const event = { id: 'e1', seq: 1, at: '2026-11-01T00:00:00Z', action: 'cluster.create', actor: 'anna', actorId: 'u', actorKind: 'user', outcome: 'allowed' }
  const { asked } = await drawIt({ ...of(cluster()), 'GET /audit': () => pageOf([event]) }, '?tab=activity')
  expect((await screen.findByRole('link', { name: 'cluster.create' })).getAttribute('href')).toBe('/audit/e1')
  expect(asked.find(({ path }) => path === '/audit')?.search).toContain('object=c1')
})

test('the sentences', () => {
  expect(truth(cluster())).toBe('It answers, and the token has the rights it needs: read-write in namespace shop, may restart workloads.')
  expect(truth(cluster({ state: 'unreachable', reason: 'no TCP connection' }))).toBe('No TCP connection. Keyturn goes on trying; a test on the Connection tab says what fails and what to do.')
  expect(fetchText(fetchOf({ added: 0, unchanged: 0, skipped: 0 }))).toBe('nothing to do')
  expect(worth({ in_sync: 5, drift: 2 })).toEqual([{ state: 'drift', n: 2 }])
  expect(worth({ in_sync: 5 })).toEqual([{ state: 'in_sync', n: 5 }])
})

test('an edit sends what differs, and asks for the token when it would go elsewhere', () => {
  const stored = cluster()
  const draft = { name: 'x', server: stored.server, trust: 'pem' as const, ca: stored.ca ?? '' }
  expect(changeOf(stored, draft, draftOf(stored.scope), '')).toEqual({})
  expect(changeOf(stored, { ...draft, server: 'https://b' }, { ...draftOf(stored.scope), access: 'read-only' }, 't')).toEqual({
    server: 'https://b', scope: { namespaces: ['shop'], access: 'read-only', restart: true, portForward: false }, token: 't',
  })
  expect(changeOf(stored, { ...draft, trust: 'system' }, draftOf(stored.scope), '')).toEqual({ ca: '' })
  expect([needsToken({ scope: stored.scope }), needsToken({ ca: '' }), needsToken({ server: 'x' })]).toEqual([false, true, true])
})

test('an edit is tested, saved against its revision, and keeps what was typed when it was changed meanwhile', async () => {
  let rev = 3
  const { asked } = await drawPage('/clusters/$cluster/edit', EditPage, '/clusters/prod-us/edit', {
    ...of(cluster()),
    'GET /clusters/c1': () => cluster({ rev, name: rev === 3 ? 'prod-us' : 'prod-usa', server: rev === 3 ? 'https://10.2.0.4:6443' : 'https://10.3.3.3:6443' }),
    'POST /clusters/c1/test': () => ({ ok: true, checks: [] }),
    'PATCH /clusters/c1': () => refused(412, 'stale'),
  })
  await screen.findByLabelText('Name')
  expect(screen.getByText('Nothing is changed yet.')).toBeTruthy()
  fireEvent.change(screen.getByLabelText('API server URL'), { target: { value: 'https://10.9.9.9:6443' } })
  expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Test' }).disabled).toBe(true)
  fireEvent.change(screen.getByLabelText('Token'), { target: { value: 'kt-canary' } })
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Test' })))
  await screen.findByText('All three checks passed.')
  rev = 4
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Save' })))
  expect(await screen.findByRole('radio', { name: 'Keep mine https://10.9.9.9:6443' })).toHaveProperty('checked', true)
  expect(screen.getByRole('radio', { name: 'Take theirs https://10.3.3.3:6443' })).toHaveProperty('checked', false)
  // The name was not typed here: theirs stands, and is not sent.
  expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('prod-usa')
  await expectAccessible()
  expect(screen.getByLabelText<HTMLInputElement>('API server URL').value).toBe('https://10.9.9.9:6443')
  await waitFor(() => expect(asked.filter(({ method, path }) => method === 'GET' && path === '/clusters/c1').length).toBeGreaterThan(0))
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Save' })))
  expect(asked.filter(({ method }) => method === 'PATCH').map(({ body }) => body).at(-1)).toEqual({ server: 'https://10.9.9.9:6443', token: 'kt-canary' })
  expect(asked.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers.get('If-Match'))).toEqual(['"3"', '"4"'])
})
