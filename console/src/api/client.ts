import createClient, { type Client } from 'openapi-fetch'
import { lostConnection, Problem, problemOf } from './problem'

export interface Hooks {
  /** The session is over: cover the page. The call still fails. */
  onSignedOut?: () => void
  /** The server is sealed: show that page. The call still fails. */
  onSealed?: () => void
  /** Asks the person to prove who they are; true when proved. The call is then repeated once, under the same key. */
  onStepUp?: () => Promise<boolean>
}

const reading = (method: string) => method === 'GET' || method === 'HEAD'

/** A random id; crypto.randomUUID is missing on pages without HTTPS. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

async function exchange(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw lostConnection(!reading(request.method))
  }
}

/**
 * Sends one request. It resolves only with an answer of success and rejects
 * with a Problem otherwise, or with an AbortError when its signal fired. It
 * never repeats a request on its own, but for a proved step-up.
 */
export async function send(request: Request, hooks: Hooks = {}): Promise<Response> {
  if (request.method === 'POST' && !request.headers.has('Idempotency-Key')) {
    request.headers.set('Idempotency-Key', randomId())
  }
  const again = request.clone()
  const response = await exchange(request)
  if (response.ok) return response
  const problem = await problemOf(response)
  if (problem.kind === 'step-up-required') {
    if (!(await hooks.onStepUp?.())) throw problem
    const second = await exchange(again)
    if (second.ok) return second
    throw await problemOf(second)
  }
  if (problem.status === 401) hooks.onSignedOut?.()
  if (problem.status === 503 && problem.kind === 'sealed') hooks.onSealed?.()
  throw problem
}

/** The typed client of the API that `Paths`, generated from the server's document, describes. */
export function createApi<Paths extends object>(hooks: Hooks, baseUrl: string = location.origin): Client<Paths> {
  return createClient<Paths>({
    baseUrl,
    credentials: 'same-origin',
    fetch: (request) => send(request, hooks),
  })
}

/** Sends JSON outside the generated client: for the calls before a session. */
export async function postJson(path: string, body: unknown, hooks: Hooks = {}, signal?: AbortSignal): Promise<unknown> {
  const response = await send(
    new Request(new URL(path, location.origin), {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
    }),
    hooks,
  )
  return response.status === 204 ? undefined : await response.json()
}

/** Makes a write depend on the object being as it was read. */
export function ifMatch(etag: string): { 'If-Match': string } {
  return { 'If-Match': etag }
}

/** True when somebody changed the object since it was read. */
export function changedMeanwhile(error: unknown): boolean {
  return error instanceof Problem && error.status === 412
}

/** For TanStack Query: readings are tried three more times, when the network or the server failed. */
export function retryReading(failures: number, error: unknown): boolean {
  if (failures >= 3 || !(error instanceof Problem)) return false
  return error.status === 0 || (error.status >= 500 && error.kind !== 'sealed')
}
