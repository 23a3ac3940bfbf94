import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { changedMeanwhile, createApi, ifMatch, postJson, retryReading, send } from './client'
import { keys } from './keys'
import { asProblem, Problem } from './problem'

const answers: (Response | Error)[] = []
const seen: Request[] = []

beforeEach(() => {
  answers.length = seen.length = 0
  vi.stubGlobal('fetch', async (request: Request) => {
    seen.push(request)
    const next = answers.shift() ?? new Response(null, { status: 204 })
    if (next instanceof Error) throw next
    return next
  })
})
afterEach(() => vi.unstubAllGlobals())

const refused = (status: number, body: object, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json', ...headers } })
const post = () => new Request('http://keyturn.test/x', { method: 'POST', body: '{"a":1}' })

async function failure(promise: Promise<unknown>): Promise<Problem> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(Problem)
  return error as Problem
}

test('a refusal becomes a problem with its four parts', async () => {
  answers.push(
    refused(409, {
      type: 'https://keyturn.dev/problems/conflict',
      title: 'It has changed',
      cause: 'Anna saved it.',
      cure: 'Read it again.',
      unchanged: 'Nothing was written.',
      errors: [{ location: 'body.name', message: 'is taken', value: 'never read' }],
    }),
  )
  const problem = await failure(send(post()))
  expect(problem.kind).toBe('conflict')
  expect(problem.fields).toMatchObject({ cause: 'Anna saved it.', cure: 'Read it again.', unchanged: 'Nothing was written.' })
  expect(problem.fields.errors).toEqual([{ location: 'body.name', message: 'is taken' }])
})

test('an answer of a proxy is named by its status, and its page is not shown', async () => {
  answers.push(new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'Content-Type': 'text/html', 'Retry-After': '7' } }))
  const problem = await failure(send(new Request('http://keyturn.test/x')))
  expect(problem.message).toBe('The server answered 502')
  expect(problem.fields.retryAfter).toBe(7)
})

test('a lost answer to a write is not known, and is not sent again', async () => {
  answers.push(new TypeError('network'))
  const problem = await failure(send(post()))
  expect(problem.kind).toBe('connection-lost')
  expect(problem.fields.unchanged).toBeUndefined()
  expect(problem.message).toContain('Not known yet')
  expect(seen).toHaveLength(1)
})

test('every POST has a key of its own, kept when given', async () => {
  await send(post())
  await send(post())
  const [a, b] = seen.map((r) => r.headers.get('Idempotency-Key'))
  expect(a).toMatch(/^[0-9a-f]{32}$/)
  expect(a).not.toBe(b)
  await send(new Request('http://keyturn.test/x', { method: 'POST', headers: { 'Idempotency-Key': 'mine' } }))
  expect(seen[2]?.headers.get('Idempotency-Key')).toBe('mine')
  await send(new Request('http://keyturn.test/x'))
  expect(seen[3]?.headers.has('Idempotency-Key')).toBe(false)
})

test('401 covers the page once, 503 sealed shows that page', async () => {
  const onSignedOut = vi.fn()
  const onSealed = vi.fn()
  answers.push(refused(401, {}), refused(503, { type: 'sealed' }), refused(503, { type: 'busy' }))
  await failure(send(post(), { onSignedOut, onSealed }))
  expect(onSignedOut).toHaveBeenCalledTimes(1)
  await failure(send(post(), { onSignedOut, onSealed }))
  await failure(send(post(), { onSignedOut, onSealed }))
  expect(onSealed).toHaveBeenCalledTimes(1)
  expect(onSignedOut).toHaveBeenCalledTimes(1)
})

test('a proved step-up repeats the same request under the same key', async () => {
  answers.push(refused(403, { type: 'step-up-required' }), new Response('{}'))
  await send(post(), { onStepUp: async () => true })
  expect(seen).toHaveLength(2)
  expect(seen[1]?.headers.get('Idempotency-Key')).toBe(seen[0]?.headers.get('Idempotency-Key'))
  expect(await seen[1]?.text()).toBe('{"a":1}')
})

test('a cancelled step-up sends nothing more', async () => {
  answers.push(refused(403, { type: 'step-up-required' }))
  expect((await failure(send(post(), { onStepUp: async () => false }))).kind).toBe('step-up-required')
  expect(seen).toHaveLength(1)
})

test('the typed client sends If-Match and returns data', async () => {
  interface Paths {
    '/things/{id}': {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never }
      put: {
        parameters: { header: { 'If-Match': string }; path: { id: string } }
        requestBody: { content: { 'application/json': { n: number } } }
        responses: { 200: { headers: Record<string, unknown>; content: { 'application/json': { n: number } } } }
      }
    }
  }
  answers.push(new Response('{"n":2}', { headers: { 'Content-Type': 'application/json' } }), refused(412, {}))
  const api = createApi<Paths>({}, 'http://keyturn.test')
  const put = () =>
    api.PUT('/things/{id}', { params: { path: { id: 'a/b' }, header: ifMatch('"r1"') }, body: { n: 2 } })
  expect((await put()).data?.n).toBe(2)
  expect(seen[0]?.url).toBe('http://keyturn.test/things/a%2Fb')
  expect(seen[0]?.headers.get('If-Match')).toBe('"r1"')
  expect(changedMeanwhile(await failure(put()))).toBe(true)
})

test('postJson reads the answer, or nothing from an empty one', async () => {
  answers.push(new Response('{"ok":true}'), new Response(null, { status: 204 }))
  expect(await postJson('/x', { a: 1 })).toEqual({ ok: true })
  expect(await postJson('/x', {})).toBeUndefined()
})

test('readings are retried three times, and only when that can help', () => {
  const of = (status: number, type = '') => new Problem({ type, title: '', status })
  expect(retryReading(0, of(0))).toBe(true)
  expect(retryReading(2, of(502))).toBe(true)
  expect(retryReading(3, of(502))).toBe(false)
  expect(retryReading(0, of(404))).toBe(false)
  expect(retryReading(0, of(503, 'sealed'))).toBe(false)
})

test('an unknown error tells nothing of what it held', () => {
  const problem = asProblem(new Error('value was hunter2'))
  expect(JSON.stringify(problem.fields)).not.toContain('hunter2')
})

test('equal filters make equal keys', () => {
  expect(keys.list('secret', { state: ['drift', 'conflict'], ns: 'pay*' })).toEqual(
    keys.list('secret', { ns: ['pay*'], state: ['conflict', 'drift'], type: undefined }),
  )
  expect(keys.list('secret').slice(0, 2)).toEqual(keys.lists('secret'))
})
