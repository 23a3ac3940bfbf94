import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { applyChanges } from '../../app/live'
import { expectAccessible } from '../../test/render'
import { drawPage, pageOf } from '../settings/testing'
import { run, write } from './fixtures'
import { groupWrites, spoken, stepsOf, tabOf } from './run'
import { RunPage } from './RunPage'
import { readQuery, readSearch, RunsPage, summary } from './RunsPage'

afterEach(() => vi.unstubAllGlobals())

test('writes are grouped by cluster and namespace, what is wrong first', () => {
  const groups = groupWrites([write({ namespace: 'b' }), write({ namespace: 'a' }), write({ cluster: 'west', state: 'blocked', secret: 'x' }), write({ cluster: 'west' })])
  expect(groups.map(({ cluster, namespace, proved, settled }) => [cluster, namespace, proved, settled])).toEqual([
    ['west', 'shop', 1, false], ['east', 'a', 1, true], ['east', 'b', 1, true],
  ])
  expect(groups[0]?.writes.map(({ state }) => state)).toEqual(['blocked', 'in_sync'])
})

test('steps carry versions, counts and the reason of a failure', () => {
  const steps = stepsOf(run({ steps: [{ name: 'minted', state: 'done', note: 'made anew' }, { name: 'published', state: 'failed', note: 'no answer' }, { name: 'retired', state: 'to_do' }] }), 'utc')
  expect(steps.map(({ note, detail, progress }) => [note, detail, progress])).toEqual([
    ['v13', 'made anew', undefined], [undefined, 'no answer', { done: 2, total: 3 }], ['v12', undefined, undefined],
  ])
  const waiting = stepsOf(run({ state: 'waiting', nextTryAt: '2026-01-01T10:01:00Z' }), 'utc')
  expect(waiting.map(({ waitsFor }) => waitsFor)).toEqual([undefined, undefined, expect.stringContaining('10:01:00 UTC'), undefined])
})

test('the tab counts while the run is open, and what is said names the step', () => {
  expect(tabOf(run())).toBe('2/3 app_rw')
  expect(tabOf(run({ state: 'done', keysProved: 3 }))).toBe('app_rw done')
  expect(spoken(run())).toBe('published running, 2 of 3 keys')
})

test('an address is read and what is unknown is dropped', () => {
  const { filter, sort } = readSearch({ state: ['done', 'nonsense'], q: 'app*', sort: 'drop table', account: 'a1' })
  expect(readQuery(filter, sort)).toEqual({ q: 'app*', state: ['done'], account: 'a1', sort: undefined })
  expect(summary(2, 1)).toBe('1 run needs attention. 2 runs are under way.')
})

test('a run that needs attention says why, what to do, and goes on when told', async () => {
  const stopped = run({ state: 'needs_attention', reason: 'No answer from the API server of west.', cure: 'Bring it back, then resume.' })
  let now = stopped
  const { asked } = await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, ({ method }) => {
    if (method === 'POST') now = run({ state: 'running' })
    return { status: method === 'POST' ? 202 : 200, body: now }
  })
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('Bring it back, then resume.'))
  expect(document.title).toBe('2/3 app_rw · Keyturn')
  expect(screen.getByText('2 of 3 mapped keys were read back with version 13.')).toBeTruthy()
  expect(screen.getByText('No answer from the API server.')).toBeTruthy()
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Resume run' })))
  await waitFor(() => expect(screen.queryByRole('alert')).toBeNull())
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /runs/0190aaaa-7f3a91', 'POST /runs/0190aaaa-7f3a91/resume', 'GET /runs/0190aaaa-7f3a91'])
})

test('who may not resume sees why, and the button does nothing', async () => {
  const { asked } = await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, () => ({ body: run({ state: 'waiting', reason: 'No answer.', can: { resume: { allowed: false, reason: 'It needs a grant of at least use.' } } }) }))
  const button = await screen.findByRole('button', { name: 'Resume run' })
  expect(button.getAttribute('aria-disabled')).toBe('true')
  fireEvent.click(button)
  expect(asked).toHaveLength(1)
})

test('a stopped run is rolled back once it was said what follows, and the page of the run that does it opens', async () => {
  const stopped = run({ state: 'needs_attention', reason: 'Deployment shop/api is stuck.', strategy: 'overlap', can: { resume: { allowed: true }, rollback: { allowed: true }, cancel: { allowed: false, reason: 'The new value may have been sent.' } } })
  const back = run({ id: '0190bbbb-000001', state: 'running', reverts: '0190aaaa-7f3a91' })
  const { asked } = await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, ({ method, path }) => ({ status: method === 'POST' ? 202 : 200, body: method === 'POST' || path.includes('0190bbbb') ? back : stopped }))
  await act(async () => void fireEvent.click(await screen.findByRole('button', { name: 'Roll back…' })))
  expect(await screen.findByText(/sets the value of v12 again: on orders-db, in all 3 mapped keys/)).toBeTruthy()
  expect(screen.getByText(/takes both values until that is done/)).toBeTruthy()
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Roll back app_rw' })))
  await screen.findByText('Rolls back')
  expect(asked.filter(({ method }) => method === 'POST').map(({ path }) => path)).toEqual(['/runs/0190aaaa-7f3a91/rollback'])
})

test('a run that has sent nothing is cancelled', async () => {
  let now = run({ state: 'waiting', step: 'minted', reason: 'No answer.', can: { resume: { allowed: true }, cancel: { allowed: true }, rollback: { allowed: false } } })
  const { asked } = await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, ({ method }) => {
    if (method === 'POST') now = run({ state: 'cancelled', step: 'minted', reason: 'anna cancelled it; nothing was sent to the system.' })
    return { body: now }
  })
  await act(async () => void fireEvent.click(await screen.findByRole('button', { name: 'Cancel run…' })))
  await act(async () => void fireEvent.click(await screen.findByRole('button', { name: 'Cancel the run' })))
  await waitFor(() => expect(screen.queryByRole('button', { name: 'Cancel run…' })).toBeNull())
  expect(asked.filter(({ method }) => method === 'POST').map(({ path }) => path)).toEqual(['/runs/0190aaaa-7f3a91/cancel'])
})

test('an event of the run makes the page read again, whatever its number is', async () => {
  const { asked, client } = await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, () => ({ body: run() }))
  await screen.findByText('Steps')
  await act(async () => void applyChanges(client, [{ seq: 1, kind: 'run', id: '0190aaaa-7f3a91', rev: 1 }]))
  await waitFor(() => expect(asked).toHaveLength(2))
})

test('a run that is not there says so in place', async () => {
  await drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, () => undefined)
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('There is nothing here'))
  await expectAccessible()
})

test('the list shows what the server counted, and a click on a state filters', async () => {
  const { asked, router } = await drawPage('/runs', '/runs', RunsPage, () => ({ body: pageOf([run(), run({ id: 'r2', state: 'done', endedAt: '2026-01-01T10:05:20Z' })], { counts: { running: 1, done: 1 } }) }))
  await waitFor(() => expect(screen.getAllByText('2 of 3')).toHaveLength(2))
  expect(screen.getByText('5 min 20 s')).toBeTruthy()
  expect(screen.getByText('1 run is under way.')).toBeTruthy()
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: /done/ })))
  expect(router.state.location.search).toEqual({ state: 'done' })
  await waitFor(() => expect(asked.at(-1)?.query.getAll('state')).toEqual(['done']))
})

test('an empty list says why, differently for each reason', async () => {
  await drawPage('/runs', '/runs', RunsPage, () => ({ body: pageOf([]) }))
  await waitFor(() => expect(screen.getByText('No run yet')).toBeTruthy())
})
