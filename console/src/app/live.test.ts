import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Change } from '../api/events'
import { keys } from '../api/keys'
import { Problem } from '../api/problem'
import { applyChanges, connectLive } from './live'
import { makeQueryClient, waitBefore } from './query'

let client: QueryClient
const stops: (() => void)[] = []
beforeEach(() => {
  client = makeQueryClient()
})
afterEach(() => {
  stops.splice(0).forEach((stop) => stop())
  client.clear()
  vi.unstubAllGlobals()
})

const change = (part: Partial<Change>): Change => ({ seq: 1, kind: 'run', id: 'r1', rev: 2, ...part })
const stale = (key: readonly unknown[]) => client.getQueryState([...key])?.isInvalidated
const put = (key: readonly unknown[], data: unknown) => client.setQueryData([...key], data)

test('an object is read again unless what is held is as new', () => {
  put(keys.one('run', 'r1'), { rev: 2 })
  put(keys.one('run', 'r2'), { rev: 2 })
  put(keys.one('account', 'r1'), { rev: 1 })
  expect([...applyChanges(client, [change({ rev: 2 }), change({ id: 'r2', rev: 3 })])]).toEqual(['run'])
  expect(stale(keys.one('run', 'r1'))).toBe(false)
  expect(stale(keys.one('run', 'r2'))).toBe(true)
  expect(stale(keys.one('account', 'r1'))).toBe(false)
})

test('what belongs to an object and its parent is read again too', () => {
  put(['run', 'r1', 'steps'], {})
  put(keys.one('account', 'a1'), { rev: 9 })
  applyChanges(client, [change({ parent: 'a1' })])
  expect(stale(['run', 'r1', 'steps'])).toBe(true)
  expect(stale(keys.one('account', 'a1'))).toBe(true)
})

test('what is gone is forgotten where nobody looks, and read again where somebody does', () => {
  put(keys.one('run', 'r1'), { rev: 9 })
  put(keys.one('run', 'r2'), { rev: 9 })
  const watch = new QueryObserver(client, { queryKey: keys.one('run', 'r2'), queryFn: () => new Promise(() => {}) })
  stops.push(watch.subscribe(() => {}))
  applyChanges(client, [change({ gone: true }), change({ id: 'r2', gone: true })])
  expect(client.getQueryState(keys.one('run', 'r1'))).toBeUndefined()
  expect(stale(keys.one('run', 'r2'))).toBe(true)
})

/** Follows a stream that the test writes to. */
function follow() {
  let write = (_: Change) => {}
  const bytes = new ReadableStream<Uint8Array>({
    start: (controller) => {
      write = (c) => controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(c)}\n\n`))
    },
  })
  vi.stubGlobal('fetch', async () => new Response(bytes, { headers: { 'Content-Type': 'text/event-stream' } }))
  stops.push(connectLive({ client, onLiveness: () => {}, onSignedOut: () => {}, onSealed: () => {} }))
  return (c: Change) => write(c)
}

test('what was read before the stream was open is read once more, and nothing else', async () => {
  vi.useFakeTimers()
  const answers: ((data: object) => void)[] = []
  const loads = { list: vi.fn(async () => ({})), slow: vi.fn(() => new Promise<object>((done) => answers.push(done))), session: vi.fn(async () => ({})) }
  const watch = (key: readonly unknown[], queryFn: () => Promise<object>) => stops.push(new QueryObserver(client, { queryKey: key, queryFn }).subscribe(() => {}))
  watch(keys.list('secret'), loads.list)
  watch(keys.one('run', 'r1'), loads.slow)
  watch(keys.one('session', 'mine'), loads.session)
  await vi.advanceTimersByTimeAsync(0)
  follow()
  await vi.advanceTimersByTimeAsync(1000)
  const late = vi.fn(async () => ({}))
  watch(keys.list('audit'), late)
  await vi.advanceTimersByTimeAsync(2000)
  const times = () => [loads.list, loads.slow, loads.session, late].map(({ mock }) => mock.calls.length)
  expect(times()).toEqual([2, 1, 1, 1]) // the slow answer is not here yet
  answers[0]?.({})
  await vi.advanceTimersByTimeAsync(2000)
  expect(times()).toEqual([2, 2, 1, 1])
  answers[1]?.({})
  await vi.advanceTimersByTimeAsync(10_000)
  expect(times()).toEqual([2, 2, 1, 1])
  vi.useRealTimers()
})

test('lists and counts are read again at most every two seconds, and other kinds are left alone', async () => {
  vi.useFakeTimers()
  const load = vi.fn(async () => ({}))
  const watch = new QueryObserver(client, { queryKey: keys.list('run'), queryFn: load })
  stops.push(watch.subscribe(() => {}))
  put(keys.counts('run'), {})
  await vi.advanceTimersByTimeAsync(0)
  expect(load).toHaveBeenCalledTimes(1)
  const write = follow()
  await vi.advanceTimersByTimeAsync(0)
  put(keys.list('audit'), {})
  for (let i = 0; i < 30; i++) {
    write(change({ seq: i + 1, rev: i }))
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(load).toHaveBeenCalledTimes(3) // at 0.25 s and 2.25 s
  expect(stale(keys.counts('run'))).toBe(true)
  expect(stale(keys.list('audit'))).toBe(false)
  await vi.advanceTimersByTimeAsync(5000)
  expect(load).toHaveBeenCalledTimes(4) // the last event is never lost
})

test('a list that takes longer than the rest still ends, and is then read once more', async () => {
  vi.useFakeTimers()
  const ended = vi.fn()
  const load = () => new Promise((done) => setTimeout(() => { ended(); done({}) }, 3000))
  const watch = new QueryObserver(client, { queryKey: keys.list('run'), queryFn: load })
  stops.push(watch.subscribe(() => {}))
  const write = follow()
  for (let i = 0; i < 100; i++) {
    write(change({ seq: i + 1, rev: i }))
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(ended.mock.calls.length).toBeGreaterThanOrEqual(2)
})

test('readings are tried three more times when the server failed, and not when it refused; changes never', async () => {
  vi.useFakeTimers()
  const fail = (status: number) => vi.fn(async () => { throw new Problem({ type: 'x', title: 'x', status }) })
  const [down, refused, write] = [fail(502), fail(403), fail(502)]
  const results = [
    client.fetchQuery({ queryKey: ['a'], queryFn: down, retry: undefined }),
    client.fetchQuery({ queryKey: ['b'], queryFn: refused, retry: undefined }),
    client.getMutationCache().build(client, { mutationFn: write }).execute(undefined),
  ].map((promise) => promise.catch(() => 'failed'))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await Promise.all(results)).toEqual(['failed', 'failed', 'failed'])
  expect([write.mock.calls.length, refused.mock.calls.length]).toEqual([1, 1])
  const watch = new QueryObserver(client, { queryKey: ['c'], queryFn: fail(502) })
  let failures = 0
  stops.push(watch.subscribe((result) => (failures = result.failureCount)))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(failures).toBe(4)
  expect(waitBefore(0, new Problem({ type: 'x', title: 'x', status: 503, retryAfter: 7 }))).toBe(7000)
})
