import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { backoff, type Change, followEvents, FrameReader, newestOf } from './events'

// A real server on loopback, and Node's own fetch.
let server: Server
let url: string
let answer: (res: ServerResponse, after: string) => void
let asked: string[]
let stops: (() => void)[]

beforeEach(async () => {
  asked = []
  stops = []
  server = createServer((req, res) => {
    const after = new URL(req.url ?? '', 'http://x').searchParams.get('after') ?? ''
    asked.push(after)
    res.setHeader('Access-Control-Allow-Origin', '*')
    answer(res, after)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/events`
})

afterEach(async () => {
  stops.forEach((stop) => stop())
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

function follow() {
  const got = { changes: [] as Change[], live: [] as string[], signedOut: 0, sealed: 0, reset: 0 }
  stops.push(
    followEvents({
      url,
      onChanges: (changes) => got.changes.push(...changes),
      onLiveness: (state) => got.live.push(state.state),
      onSignedOut: () => got.signedOut++,
      onSealed: () => got.sealed++,
      onReset: () => got.reset++,
    }),
  )
  return got
}

const frame = (seq: number, id: string, rev = 1) => `data: ${JSON.stringify({ seq, kind: 'run', id, rev })}\n\n`
const stream = (res: ServerResponse) => res.writeHead(200, { 'Content-Type': 'text/event-stream' })

test('changes arrive in batches, newest of each object, and the page is live', async () => {
  answer = (res) => stream(res).write(`: hello\n\n${frame(1, 'a', 1)}${frame(2, 'a', 2)}${frame(3, 'b')}data: nonsense\n\n`)
  const got = follow()
  await vi.waitFor(() => expect(got.changes).toHaveLength(2))
  expect(got.changes.map((c) => [c.id, c.rev])).toEqual([['a', 2], ['b', 1]])
  expect(got.live).toEqual(['live'])
})

test('a cut stream goes on after the last change that was heard', async () => {
  answer = (res, after) => {
    if (after === '0') stream(res).end(frame(7, 'a'))
    else stream(res).write(frame(8, 'b'))
  }
  const got = follow()
  await vi.waitFor(() => expect(got.changes).toHaveLength(2), { timeout: 4000 })
  expect(asked).toEqual(['0', '7'])
  expect(got.live).toEqual(['live', 'reconnecting', 'live'])
})

test('ten seconds without an answer are stale, however often it was tried meanwhile', async () => {
  vi.useFakeTimers()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('cut')))
  try {
    const got = follow()
    await vi.advanceTimersByTimeAsync(10_100)
    expect(got.live.filter((state) => state === 'reconnecting').length).toBeGreaterThan(2)
    expect(got.live.at(-1)).toBe('stale')
  } finally {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  }
})

test.each([
  [401, '{}', 'signedOut'],
  [503, '{"type":"sealed"}', 'sealed'],
] as const)('%i ends it with one request', async (status, body, count) => {
  answer = (res) => res.writeHead(status, { 'Content-Type': 'application/problem+json' }).end(body)
  const got = follow()
  await vi.waitFor(() => expect(got[count]).toBe(1))
  await new Promise((done) => setTimeout(done, 1300))
  expect(asked).toHaveLength(1)
})

test('410 drops what is known and starts anew', async () => {
  answer = (res, after) => {
    if (asked.length === 1) stream(res).end(frame(9, 'a'))
    else if (after === '9') res.writeHead(410).end()
    else stream(res).write(frame(1, 'c'))
  }
  const got = follow()
  await vi.waitFor(() => expect(got.changes.map((c) => c.id)).toEqual(['a', 'c']), { timeout: 6000 })
  expect(got.reset).toBe(1)
  expect(asked).toEqual(['0', '9', '0'])
}, 8000)

test('a second tab hears through the first', async () => {
  const locks: { run: () => Promise<unknown>; done: (v?: unknown) => void }[] = []
  vi.stubGlobal('navigator', {
    ...navigator,
    locks: {
      // One holder at a time, the next when it is done: what the browser's locks do.
      request: (_: string, __: object, run: () => Promise<unknown>) =>
        new Promise((done) => {
          locks.push({ run, done })
          if (locks.length === 1) void run().then(done)
        }),
    },
  })
  answer = (res) => {
    stream(res).write(': hello\n\n')
    setTimeout(() => res.write(frame(1, 'a')), 100)
  }
  const first = follow()
  const second = follow()
  await vi.waitFor(() => expect(second.changes).toHaveLength(1))
  expect(first.changes).toEqual(second.changes)
  expect(second.live.at(-1)).toBe('live')
  expect(asked).toHaveLength(1)
  vi.unstubAllGlobals()
})

test('frames may be cut anywhere', () => {
  const text = 'event: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: beat\n\ndata:two\n\n'
  for (let cut = 0; cut <= text.length; cut++) {
    const frames = new FrameReader()
    expect([...frames.push(text.slice(0, cut)), ...frames.push(text.slice(cut))], `cut at ${cut}`).toEqual(['{"a":\n1}', undefined, 'two'])
  }
})

test('waits double up to 30 s, with jitter', () => {
  expect([0, 1, 2, 3, 4, 5, 50].map((n) => backoff(n, 0))).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000])
  expect(backoff(0, 1)).toBe(750)
})

test('an older revision does not win', () => {
  const at = (rev: number): Change => ({ seq: 10 - rev, kind: 'run', id: 'a', rev })
  expect(newestOf([at(3), at(2)])).toEqual([at(3)])
})
