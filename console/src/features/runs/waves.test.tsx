import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { drawPage } from '../resources/testPage'
import { rollout, run, write } from './fixtures'
import { stepsOf, waveWaits } from './run'
import { RunPage } from './RunPage'
import { wavesOf } from './waves'

afterEach(() => vi.unstubAllGlobals())

const waved = (part: Parameters<typeof run>[0] = {}) => run({
  state: 'running', wave: 2, waves: 3, keys: 3, keysProved: 1, reason: undefined,
  writes: [
    write({ cluster: 'stage', clusterId: 'c1', wave: 1 }),
    write({ cluster: 'prod-eu', clusterId: 'c2', wave: 2, state: 'to_do', at: undefined }),
    write({ cluster: 'prod-us', clusterId: 'c3', wave: 3, state: 'to_do', at: undefined }),
  ],
  rollouts: [rollout({ clusterId: 'c1', cluster: 'stage' })],
  ...part,
})
const paused = waved({ state: 'needs_attention', reason: 'wave 1 of 3 is proved; the next one waits for a person', cure: 'resume the run to begin it, or roll the run back' })

test('waves are told apart, each with how far it is', () => {
  expect(wavesOf(waved()).map(({ number, clusters, state, text }) => [number, clusters.join(), state, text])).toEqual([
    [1, 'stage', 'done', '1 of 1 key proved, 1 of 1 workload done'],
    [2, 'prod-eu', 'running', '0 of 1 key proved'],
    [3, 'prod-us', 'to_do', '0 of 1 key proved'],
  ])
  expect(wavesOf(run())).toEqual([])
  expect(wavesOf(waved({ state: 'needs_attention', tries: 3 })).map(({ state }) => state)).toEqual(['done', 'failed', 'to_do'])
  expect(wavesOf(waved({ state: 'done', wave: 3 })).map(({ state }) => state)).toEqual(['done', 'done', 'done'])
})

test('between two waves no step has failed', () => {
  const steps = [{ name: 'verified', state: 'done' as const }, { name: 'published', state: 'failed' as const }]
  expect(stepsOf({ ...paused, steps }, 'utc')[1]).toMatchObject({ state: 'to_do', progress: { done: 1, total: 3 }, waitsFor: 'Wave 2 of 3 waits until somebody resumes the run.' })
  expect(stepsOf({ ...paused, tries: 1, steps }, 'utc')[1]).toMatchObject({ state: 'failed' })
})

test('only a wave that nothing was tried of waits to be begun', () => {
  expect(waveWaits(paused)).toBe(true)
  expect(waveWaits(waved())).toBe(false)
  expect(waveWaits({ ...paused, tries: 1 })).toBe(false)
  expect(waveWaits({ ...paused, wave: 1 })).toBe(false)
  expect(waveWaits({ ...paused, writes: [write({ wave: 2, state: 'blocked' })] })).toBe(false)
})

test('a run between two waves is no failure: it says so, and the next wave can be begun', async () => {
  const { asked } = await drawPage({ route: '/runs/$run', at: `/runs/${paused.id}`, page: RunPage, answer: ({ method }) => (method === 'POST' ? paused : paused) })
  expect(await screen.findByRole('heading', { name: 'Wave 2 of 3: prod-eu' })).toBeTruthy()
  expect(screen.getByText('Wave 1 of 3 is proved; the next one waits for a person.')).toBeTruthy()
  expect(screen.queryByRole('alert')).toBeNull()
  expect(screen.getByText(/It begins when somebody resumes the run/)).toBeTruthy()
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Begin the next wave' }))
  await waitFor(() => expect(asked.some(({ method, path }) => method === 'POST' && path.endsWith('/resume'))).toBe(true))
})
