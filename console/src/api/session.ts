import { postJson, send } from './client'

/** Who signs in. The code is asked for only when the server wants it. */
export interface Login {
  name: string
  password: string
  code?: string
}

export interface Health {
  sealed: boolean
  /** Why it is sealed, as a sentence. */
  cause?: string
  /** What to do about it, as a sentence. */
  cure?: string
  /** When it was sealed, RFC 3339. */
  since?: string
  /** Whether the repository is one of an old backup, so that nothing is changed anywhere. */
  restored?: boolean
  /** Whether a passphrase opens it. */
  passphrase: boolean
}

/** Opens a session; the cookie is the server's. Rejects with a Problem. */
export async function signIn(login: Login): Promise<void> {
  await postJson('/api/v1/session', login)
}

/** Makes the first administrator with the one-time token. Rejects with a Problem. */
export async function createAdministrator(token: string, name: string, password: string): Promise<void> {
  await postJson('/api/v1/setup', { code: token, name, password })
}

/** Opens a sealed server with its passphrase. Rejects with a Problem. */
export async function unseal(passphrase: string): Promise<void> {
  await postJson('/api/v1/unseal', { passphrase })
}

/** Asks whether the server is sealed; answers without a session. */
export async function health(signal?: AbortSignal): Promise<Health> {
  const response = await send(
    new Request(new URL('/api/v1/health', location.origin), { cache: 'no-store', credentials: 'same-origin', signal }),
  )
  const body = (await response.json()) as Partial<Health> | null
  return { sealed: false, passphrase: false, ...body }
}
