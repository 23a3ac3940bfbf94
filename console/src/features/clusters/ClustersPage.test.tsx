import { act, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { answer, ClustersPage } from './ClustersPage'
import { type Answers, cluster, drawPage, pageOf, refused } from './testing'

afterEach(() => vi.unstubAllGlobals())

const down = cluster({ id: 'c2', name: 'prod-eu', state: 'unreachable', reason: 'dial tcp 10.2.0.4:443: timed out', since: '2026-11-20T13:52:00Z', rev: 7, can: { ...cluster().can, sync: { allowed: false, reason: 'It needs manage.' } } })
const drawIt = (answers: Answers, address = '/clusters', can?: Record<string, boolean>) => drawPage('/clusters', ClustersPage, address, answers, can)
const openMenu = async (name: string) => {
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: `What to do with ${name}` })))
}

test('a cluster that does not answer says why on the page', async () => {
  await drawIt({ 'GET /clusters': () => pageOf([cluster(), down], { connected: 1, unreachable: 1 }) })
  expect(await screen.findByText(/dial tcp 10.2.0.4:443: timed out/)).toBeTruthy()
  expect(screen.getByText('1 of 2 are connected.')).toBeTruthy()
  expect(screen.getByRole('link', { name: 'prod-us' }).getAttribute('href')).toBe('/clusters/prod-us')
  await expectAccessible()
})

test('counts filter by the URL, and the server filters', async () => {
  const { asked, router } = await drawIt({ 'GET /clusters': () => pageOf([cluster(), down], { connected: 1, unreachable: 1 }) })
  const group = await screen.findByRole('group', { name: 'Clusters by state' })
  await act(async () => void fireEvent.click(within(group).getByRole('button', { name: /unreachable/ })))
  expect(router.state.location.search).toEqual({ state: 'unreachable' })
  await waitFor(() => expect(asked.at(-1)?.search).toContain('state=unreachable'))
})

test('removing asks, says what stays, and sends the revision that was seen', async () => {
  const { asked } = await drawIt({ 'GET /clusters': () => pageOf([down], { unreachable: 1 }) })
  await screen.findByRole('link', { name: 'prod-eu' })
  await openMenu('prod-eu')
  await act(async () => void fireEvent.click(screen.getByRole('menuitem', { name: 'Remove' })))
  expect(screen.getByText('2 resources with 14 Secrets and all stored values stay.')).toBeTruthy()
  expect(asked.some(({ method }) => method === 'DELETE')).toBe(false)
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Remove prod-eu' })))
  const sent = asked.find(({ method }) => method === 'DELETE')
  expect([sent?.path, sent?.headers.get('If-Match')]).toEqual(['/clusters/c2', '"7"'])
})

test('a removal of what changed meanwhile stays open, and asks anew against what is there', async () => {
  let times = 0
  const { asked } = await drawIt({
    'GET /clusters': () => pageOf([down], { unreachable: 1 }),
    'GET /clusters/c2': () => ({ ...down, rev: 8 }),
    'DELETE /clusters/c2': () => (times++ === 0 ? refused(412, 'stale') : undefined),
  })
  await screen.findByRole('link', { name: 'prod-eu' })
  await openMenu('prod-eu')
  await act(async () => void fireEvent.click(screen.getByRole('menuitem', { name: 'Remove' })))
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Remove prod-eu' })))
  expect((await screen.findByRole('alert')).textContent).toContain('refused: stale')
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Remove prod-eu' })))
  expect(asked.filter(({ method }) => method === 'DELETE').map(({ headers }) => headers.get('If-Match'))).toEqual(['"7"', '"8"'])
})

test('what is refused is not sent, and says why', async () => {
  const { asked } = await drawIt({ 'GET /clusters': () => pageOf([down], { unreachable: 1 }) })
  await screen.findByRole('link', { name: 'prod-eu' })
  await openMenu('prod-eu')
  const sync = screen.getByRole('menuitem', { name: /Sync/ })
  expect(sync.textContent).toContain('It needs manage.')
  await act(async () => void fireEvent.click(sync))
  expect(asked.every(({ method }) => method === 'GET')).toBe(true)
})

test('a sync leads to the cluster, where it is seen', async () => {
  const { router } = await drawIt({ 'GET /clusters': () => pageOf([cluster()]), 'POST /clusters/c1/sync': () => ({}) })
  await screen.findByRole('link', { name: 'prod-us' })
  await openMenu('prod-us')
  await act(async () => void fireEvent.click(screen.getByRole('menuitem', { name: 'Sync' })))
  await waitFor(() => expect(router.state.location.pathname).toBe('/clusters/prod-us'))
})

test('the three kinds of nothing have three texts', async () => {
  const none = { 'GET /clusters': () => pageOf([]) }
  const first = await drawIt(none)
  expect(await screen.findByText('No cluster is connected')).toBeTruthy()
  first.unmount()
  const filtered = await drawIt(none, '/clusters?state=degraded')
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  filtered.unmount()
  await drawIt(none, '/clusters', { 'cluster.create': false })
  expect(await screen.findByText('You have no grant for any cluster')).toBeTruthy()
})

test('a list that cannot be read says so in place', async () => {
  await drawIt({ 'GET /clusters': () => refused(500, 'internal', { cure: 'Try again' }) })
  expect((await screen.findByRole('alert')).textContent).toContain('Try again')
})

test('the sentence counts what is connected', () => {
  expect([answer({}), answer({ connected: 1 }), answer({ connected: 3 }), answer({ connected: 1, degraded: 1 })]).toEqual([
    '', 'The one cluster is connected.', 'All 3 are connected.', '1 of 2 are connected.',
  ])
})
