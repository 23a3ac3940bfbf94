import { QueryClient } from '@tanstack/react-query'
import { retryReading } from '../api/client'
import { backoff } from '../api/events'
import { Problem } from '../api/problem'

const keptMs = 5 * 60_000

/** How long to wait before try n (from 0): what the server asked for, else 1, 2, 4 … s. */
export function waitBefore(n: number, error: unknown): number {
  const asked = error instanceof Problem ? error.fields.retryAfter : undefined
  return asked === undefined ? backoff(n) : asked * 1000
}

/**
 * What was read from the server, for one session. It holds metadata only: a
 * value is fetched by `ui/Value` and by nothing else. Readings are tried three
 * more times when the network or the server failed; a change is sent once.
 * Freshness comes from the event stream, so nothing is read again on a timer.
 */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        gcTime: keptMs,
        staleTime: Infinity,
        retry: retryReading,
        retryDelay: waitBefore,
        refetchOnWindowFocus: false,
        // Offline is for the server to say: it may be on this machine.
        networkMode: 'always',
      },
      mutations: { retry: false, gcTime: 0, networkMode: 'always' },
    },
  })
}
