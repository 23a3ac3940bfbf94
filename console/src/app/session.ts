import { queryOptions } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { keys } from '../api/keys'
import { type Api, bodyOf } from './api'

export type SessionState = 'open' | 'ended'

/**
 * Whether the session of this page still holds. Calls and the event stream tell
 * it of a 401; the frame covers the page. One is made for each load of the page.
 */
export class SessionWatch {
  private state: SessionState = 'open'
  private readonly listeners = new Set<() => void>()

  /** The server refused for want of a session. Saying it again changes nothing. */
  readonly end = () => this.set('ended')

  /** The same user signed in again. */
  readonly reopen = () => this.set('open')

  readonly read = () => this.state

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  private set(state: SessionState) {
    if (state === this.state) return
    this.state = state
    for (const listener of [...this.listeners]) listener()
  }
}

export function useSession(watch: SessionWatch): SessionState {
  return useSyncExternalStore(watch.subscribe, watch.read)
}

/** Who is signed in. */
export const mySession = (api: Api) =>
  queryOptions({
    queryKey: keys.one('session', 'mine'),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/session', { signal })),
  })
