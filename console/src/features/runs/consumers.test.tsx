import { act, fireEvent, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import { applyChanges } from '../../app/live'
import { states } from '../../api/states'
import { expectAccessible } from '../../test/render'
import { drawPage } from '../settings/testing'
import { rollout, rolling, run } from './fixtures'
import { consequencesOf } from './ResumeRun'
import { consumersText, groupRollouts, podsText, type Rollout, whyNone } from './rollouts'
import { type Run, spoken, stepsOf, tabOf } from './run'
import { RunPage } from './RunPage'

afterEach(() => vi.unstubAllGlobals())

const at = (first: Run, answer: (method: string) => Run = () => first) =>
  drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, ({ method }) => ({ status: method === 'POST' ? 202 : 200, body: answer(method) }))
const consumers = async () => within(await screen.findByRole('region', { name: 'Consumers' }))

test('pods are told as what is known of them', () => {
  const of = (part: Partial<Rollout>) => podsText(rollout(part))
  expect(of({})).toBe('3 of 3 ready')
  expect(of({ state: 'rolling', new: 2, ready: 2, old: 1 })).toBe('2 of 3 ready, 1 old left')
  expect(of({ state: 'rolling', new: 0, ready: 0, old: 3 })).toBe('0 of 3 ready, 3 old left')
  expect(of({ state: 'asks', new: 0, ready: 0, old: 3 })).toBe('3 old left')
  expect(of({ state: 'skipped', wanted: 0, new: 0, ready: 0 })).toBe('no pods')
})

test('by cluster, and what waits for somebody first; what only goes on keeps its place', () => {
  const all = [
    rollout({ name: 'b', state: 'rolling' }), rollout({ name: 'a' }), rollout({ name: 'c', state: 'to_do' }),
    rollout({ clusterId: 'c2', cluster: 'west', name: 'x' }), rollout({ clusterId: 'c2', cluster: 'west', name: 'y', state: 'held' }), rollout({ clusterId: 'c2', cluster: 'west', name: 'z', state: 'stuck' }),
  ]
  expect(groupRollouts(all).map(({ cluster, rollouts, text, waits }) => [cluster, rollouts.map(({ name }) => name).join(''), text, waits])).toEqual([
    ['west', 'zyx', '1 of 3 done, 1 stuck, 1 held', true],
    ['east', 'abc', '1 of 3 done, 1 rolling, 1 to do', false],
  ])
})

test('that no pod is left is said only when it was proved', () => {
  expect(consumersText([rollout(), rollout({ name: 'b', state: 'skipped', wanted: 0 })])).toBe('2 workloads: no pod is left from before the write.')
  expect(consumersText([rollout({ state: 'rolling', new: 2, ready: 2, old: 1 })])).toBe('1 workload; 1 pod is left from before the write.')
  expect(consumersText([rollout({ state: 'skipped', old: 2 })])).toBe('1 workload; 2 pods are left from before the write.')
  expect(consumersText([rollout(), rollout({ clusterId: 'c2', state: 'held', old: 1 })])).toBe('2 workloads in 2 clusters: 1 of 2 done, 1 held; 1 pod is left from before the write.')
})

test('without workloads the page says why', () => {
  const why = (part: Partial<Run>) => whyNone(run(part))
  const steps = (state: 'skipped' | 'running' | 'to_do', note?: string): Run['steps'] => [{ name: 'published', state: 'done' }, { name: 'rolled_out', state, note }]
  expect(why({ keys: 0 })).toBe('No Secret key is mapped to this account, so no workload reads it from one.')
  expect(why({ steps: steps('skipped', 'No mapping asks for a restart of what reads its key.') })).toBe('No mapping asks for a restart of what reads its key. Nothing was restarted.')
  expect(why({ steps: steps('running') })).toBe('Keyturn looks who reads the keys.')
  expect(why({ steps: steps('to_do'), state: 'waiting' })).toBe('Who reads the keys is not known yet.')
  expect(why({ endedAt: '2026-01-01T10:00:09Z', state: 'rolled_back', steps: steps('skipped') })).toBe('The run ended before anything was restarted.')
  expect(why({})).toBe('Who reads the keys is looked up as soon as they are written.')
})

test('the step, the tab and what is said count the workloads while they are restarted', () => {
  const now = rolling('running', { rollouts: [rollout(), rollout({ name: 'b', state: 'rolling' })] })
  expect(stepsOf(now, 'utc').map(({ title, progress }) => [title, progress])).toEqual([['published', undefined], ['rolled out', { done: 1, total: 2 }], ['retired', undefined]])
  expect(tabOf(now)).toBe('1/2 app_rw')
  expect(spoken(now)).toBe('rolled out running, 1 of 2 workloads')
})

test('every state has its word, its pods and, where it waits, its whole reason on the page', async () => {
  const words = Object.keys(states.rollout) as Rollout['state'][]
  const reason = (state: string) => (['stuck', 'held', 'asks'].includes(state) ? { reason: `why ${state}`, cure: `mend ${state}` } : {})
  await at(rolling('failed', { state: 'needs_attention', reason: '3 of 7 workloads are not on the new value.', rollouts: words.map((state) => rollout({ name: state, state, ...reason(state) })) }))
  const part = await consumers()
  const rows = within(part.getByRole('list', { name: 'Workloads in east' })).getAllByRole('listitem')
  expect(rows.map((row) => row.textContent).slice(0, 3)).toEqual([
    expect.stringMatching(/^Deployment shop\/stuck ?stuck.*Why stuck\..*Mend stuck\.$/),
    expect.stringMatching(/^Deployment shop\/asks ?asks.*Why asks\./),
    expect.stringMatching(/^Deployment shop\/held ?held.*Why held\./),
  ])
  for (const word of words) expect(part.getByText(states.rollout[word].word)).toBeTruthy()
  await expectAccessible()
})

test('in good order there is one quiet sentence; what was not seen is a notice and no alarm', async () => {
  await at(rolling('done', { state: 'done', endedAt: '2026-01-01T10:00:20Z', rollouts: [rollout(), rollout({ name: 'b' })], unseen: ['prod-west: the connector may not restart workloads there'] }))
  const part = await consumers()
  expect(part.getByText('2 workloads: no pod is left from before the write.')).toBeTruthy()
  expect(part.getByText('prod-west: the connector may not restart workloads there.')).toBeTruthy()
  expect(screen.queryByRole('alert')).toBeNull()
  await expectAccessible()
})

test('progress arrives in place: the row, what was opened and the focus stay', async () => {
  const next = (made: number) => rolling('running', { rollouts: [rollout({ state: 'rolling', new: made, ready: made, old: 3 - made }), rollout({ name: 'b' })] })
  let now = next(1)
  const { client } = await at(now, () => now)
  const part = await consumers()
  const row = part.getByText('1 of 3 ready, 2 old left').closest('li')
  now = next(2)
  await act(async () => void applyChanges(client, [{ seq: 1, kind: 'run', id: '0190aaaa-7f3a91', rev: 2 }]))
  await waitFor(() => expect(row?.textContent).toContain('2 of 3 ready, 1 old left'))
  expect(row?.isConnected).toBe(true)
})

test('of hundreds of workloads only what waits is opened, and few rows are drawn', async () => {
  const many = (clusterId: string, cluster: string) => Array.from({ length: 300 }, (_, i) => rollout({ clusterId, cluster, name: `w${String(i).padStart(3, '0')}` }))
  await at(rolling('failed', { state: 'needs_attention', rollouts: [...many('c1', 'east'), ...many('c2', 'west'), rollout({ clusterId: 'c2', cluster: 'west', name: 'zz', state: 'stuck', reason: 'ImagePullBackOff' })] }))
  const part = await consumers()
  expect(part.getByText('300 of 301 done, 1 stuck')).toBeTruthy()
  expect(part.getByText(/^601 workloads in 2 clusters: 600 of 601 done, 1 stuck; no pod is left/)).toBeTruthy()
  expect(part.queryByRole('list', { name: 'Workloads in east' })).toBeNull()
  const west = () => within(part.getByRole('list', { name: 'Workloads in west' })).getAllByRole('listitem')
  expect(west()[0]?.textContent).toContain('shop/zz')
  expect(west()).toHaveLength(100)
  await act(async () => void fireEvent.click(part.getByRole('button', { name: 'Show all 301' })))
  expect(west()).toHaveLength(301)
})

test('where workloads ask, the button says what it does, asks once more with the focus on Cancel, and the run goes on', async () => {
  const asking = rolling('failed', { state: 'needs_attention', reason: 'Deployment shop/api: its mapping asks.', rollouts: [rollout({ state: 'asks', new: 0, ready: 0, old: 3, reason: 'its mapping asks', cure: 'resume' }), rollout({ name: 'b', state: 'asks', old: 1 })] })
  let now = asking
  const { asked } = await at(asking, (method) => {
    if (method === 'POST') now = rolling('running', { rollouts: [rollout({ state: 'rolling' })] })
    return now
  })
  const user = userEvent.setup()
  expect(screen.queryByRole('button', { name: 'Resume run' })).toBeNull()
  const button = await screen.findByRole('button', { name: 'Restart them and go on' })
  button.focus()
  await user.keyboard('{Enter}')
  const dialog = within(await screen.findByRole('dialog'))
  expect(dialog.getByText('Deployment shop/api in east: its 3 pods are replaced.')).toBeTruthy()
  await waitFor(() => expect(document.activeElement?.textContent).toBe('Cancel'))
  expect(asked.filter(({ method }) => method === 'POST')).toHaveLength(0)
  await user.click(dialog.getByRole('button', { name: 'Restart 2 workloads' }))
  await waitFor(() => expect(asked.filter(({ method }) => method === 'POST').map(({ path }) => path)).toEqual(['/runs/0190aaaa-7f3a91/resume']))
  await waitFor(() => expect(screen.queryByRole('button', { name: /go on/ })).toBeNull())
})

test('many that ask are named by their number after the first', () => {
  const lines = consequencesOf([...Array.from({ length: 7 }, (_, i) => rollout({ name: `w${i}`, state: 'asks', old: i })), rollout({ state: 'stuck' })])
  expect(lines).toHaveLength(8)
  expect(lines[0]).toBe('Deployment shop/w0 in east: no pod is left to replace.')
  expect(lines[5]).toBe('And 2 more workloads.')
  expect(lines[7]).toBe('1 that is stuck or held is tried again.')
})
