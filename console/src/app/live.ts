import type { Query, QueryClient } from '@tanstack/react-query'
import { type Change, followEvents, type Liveness } from '../api/events'

export interface LiveConfig {
  client: QueryClient
  onLiveness: (state: Liveness) => void
  onSignedOut: () => void
  onSealed: () => void
  url?: string
}

const listRestMs = 2000

const revOf = (data: unknown): number | undefined => {
  const rev = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)['rev'] : undefined
  return typeof rev === 'number' ? rev : undefined
}

/** Whether an event tells nothing new to this query: what it holds is as new or newer. */
export function isKnown(data: unknown, change: Change): boolean {
  const rev = revOf(data)
  // A change without a revision, such as a new state, is always news.
  return !change.gone && change.rev > 0 && rev !== undefined && rev >= change.rev
}

const isObject = (query: Query, id: string) => query.queryKey[1] === id

/**
 * Reads again what changed: objects by `[kind, id]` at once, and what belongs
 * to their parent. Answers with the kinds whose lists are out of date.
 */
export function applyChanges(client: QueryClient, changes: readonly Change[]): Set<string> {
  const kinds = new Set<string>()
  for (const change of changes) {
    const queries = client.getQueryCache().findAll({ predicate: (q) => q.queryKey[0] === change.kind && isObject(q, change.id) })
    // After a change made here its reply is in the cache; the lists still have to know.
    kinds.add(change.kind)
    for (const query of queries) {
      if (isKnown(query.state.data, change)) continue
      const filter = { queryKey: query.queryKey, exact: true }
      // Where nobody looks, a thing that is gone is forgotten; on the screen its page says so itself.
      if (change.gone && query.getObserversCount() === 0) client.removeQueries(filter)
      else void client.invalidateQueries(filter)
    }
    const { parent } = change
    if (parent) void client.invalidateQueries({ predicate: (q) => isObject(q, parent) })
  }
  return kinds
}

/**
 * Reads once more, a little later, what was read before the stream was open:
 * the stream does not tell of a change between the two. What news had read
 * again meanwhile is left alone, and so is who is signed in, which no event tells.
 */
function readOnceMore(client: QueryClient): () => void {
  const unsure = new Map<Query, number>()
  for (const query of client.getQueryCache().findAll({ predicate: (q) => q.queryKey[0] !== 'session' })) {
    unsure.set(query, query.state.dataUpdateCount + (query.state.fetchStatus === 'fetching' ? 1 : 0))
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = () => {
    for (const [query, updates] of unsure) {
      if (query.state.fetchStatus === 'fetching') continue
      unsure.delete(query)
      if (query.state.dataUpdateCount <= updates) void client.invalidateQueries({ queryKey: query.queryKey, exact: true })
    }
    if (unsure.size > 0) timer = setTimeout(look, listRestMs)
  }
  timer = setTimeout(look, listRestMs)
  return () => clearTimeout(timer)
}

/**
 * Keeps the cache as the server's events say, until the returned function is
 * called. Events come in batches of 250 ms; lists and counts of a kind are read
 * again at most every two seconds, and never while a reading of them is under
 * way, so that a busy server cannot keep one from ending.
 */
export function connectLive({ client, onLiveness, onSignedOut, onSealed, url = '/api/v1/events' }: LiveConfig): () => void {
  const dirty = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = -listRestMs
  const sweep = () => {
    timer = undefined
    last = performance.now()
    for (const kind of dirty) {
      const lists = { predicate: (q: Query) => q.queryKey[0] === kind && (q.queryKey[1] === 'list' || q.queryKey[1] === 'counts') }
      if (client.isFetching(lists) > 0) continue
      dirty.delete(kind)
      void client.invalidateQueries(lists)
    }
    if (dirty.size > 0) plan()
  }
  const plan = () => {
    timer ??= setTimeout(sweep, Math.max(0, last + listRestMs - performance.now()))
  }
  let live = false
  let forget = () => {}
  const stop = followEvents({
    url,
    onChanges: (changes) => {
      for (const kind of applyChanges(client, changes)) dirty.add(kind)
      plan()
    },
    onLiveness: (liveness) => {
      if (liveness.state === 'live' && !live) {
        forget()
        forget = readOnceMore(client)
      }
      live = liveness.state === 'live'
      onLiveness(liveness)
    },
    onSignedOut,
    onSealed,
    onReset: () => void client.resetQueries(),
  })
  return () => {
    stop()
    forget()
    clearTimeout(timer)
  }
}
