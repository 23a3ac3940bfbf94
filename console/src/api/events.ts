import { Problem, problemOf } from './problem'

/** One change. It carries ids and revisions, never names or values. */
export interface Change {
  seq: number
  kind: string
  id: string
  rev: number
  parent?: string
  gone?: boolean
}

export type Liveness =
  | { state: 'live' }
  | { state: 'reconnecting' }
  /** No news since then, in milliseconds of the epoch. */
  | { state: 'stale'; since: number }

export interface EventsConfig {
  url: string
  /** Called with what changed, every 250 ms at most. */
  onChanges: (changes: Change[]) => void
  onLiveness: (state: Liveness) => void
  onSignedOut: () => void
  onSealed: () => void
  /** What was missed cannot be told: drop all caches and read again. */
  onReset: () => void
}

const batchMs = 250
const silenceMs = 45_000
const staleMs = 10_000
const longestWaitMs = 30_000
const lockName = 'keyturn-events'

type Message =
  | { type: 'change'; change: Change }
  | { type: 'liveness'; liveness: Liveness }
  | { type: 'signed-out' | 'sealed' | 'reset' | 'ask' }

/** How long to wait before try n (from 0): 1, 2, 4 … 30 s, up to a quarter less, so that tabs and people spread out. */
export function backoff(n: number, random: number = Math.random()): number {
  return Math.min(longestWaitMs, 1000 * 2 ** n) * (1 - random / 4)
}

function isChange(value: unknown): value is Change {
  if (typeof value !== 'object' || value === null) return false
  const c = value as Record<string, unknown>
  return typeof c['seq'] === 'number' && typeof c['kind'] === 'string' && typeof c['id'] === 'string' && typeof c['rev'] === 'number'
}

/** Splits a text/event-stream into events. Heartbeats give undefined, so that silence is noticed. */
export class FrameReader {
  private rest = ''
  private data: string[] = []

  push(text: string): (string | undefined)[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    const out: (string | undefined)[] = []
    for (const line of lines) {
      if (line.startsWith('data:')) this.data.push(line.slice(line[5] === ' ' ? 6 : 5))
      else if (line.startsWith(':')) out.push(undefined)
      else if (line === '' && this.data.length > 0) {
        out.push(this.data.join('\n'))
        this.data = []
      }
    }
    return out
  }
}

/** What to do after the stream ended. */
type Ending = { kind: 'again'; afterMs?: number } | { kind: 'stop' } | { kind: 'reset' }

/**
 * Follows the server's changes until the returned function is called.
 *
 * One tab of a browser holds the stream: the one that has the Web Lock. It
 * hands changes to the others, and when it closes another takes over. A browser
 * without locks gives each tab a stream of its own.
 */
export function followEvents(config: EventsConfig): () => void {
  const follower = new Follower(config)
  follower.start()
  return () => follower.stop()
}

class Follower {
  private readonly stopped = new AbortController()
  private readonly channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(lockName)
  private queue: Change[] = []
  private flushing: ReturnType<typeof setTimeout> | undefined
  private staleness: ReturnType<typeof setTimeout> | undefined
  private connection: AbortController | undefined
  private liveness: Liveness = { state: 'reconnecting' }
  private leading = false
  private lastHeard = Date.now()
  private after = 0
  private wake: (() => void) | undefined
  private readonly config: EventsConfig

  constructor(config: EventsConfig) {
    this.config = config
  }

  start() {
    const { signal } = this.stopped
    if (this.channel) this.channel.onmessage = (event: MessageEvent<Message>) => this.receive(event.data)
    document.addEventListener('visibilitychange', this.onVisible, { signal })
    this.tell({ type: 'ask' })
    if (!('locks' in navigator)) {
      void this.lead()
      return
    }
    navigator.locks.request(lockName, { signal }, () => this.lead()).catch(() => {
      // Only the abort of stop() ends the wait for the lock.
    })
  }

  stop() {
    this.stopped.abort()
    this.connection?.abort()
    this.wake?.()
    clearTimeout(this.flushing)
    clearTimeout(this.staleness)
    this.channel?.close()
  }

  private async lead() {
    this.leading = true
    let tries = 0
    while (!this.stopped.signal.aborted) {
      const before = this.lastHeard
      const ending = await this.read()
      if (ending.kind === 'stop' || this.stopped.signal.aborted) return
      if (ending.kind === 'reset') {
        this.after = 0
        this.spread({ type: 'reset' })
      }
      tries = this.lastHeard > before ? 0 : tries + 1
      this.setLiveness({ state: 'reconnecting' })
      await this.pause(ending.kind === 'again' && ending.afterMs !== undefined ? ending.afterMs : backoff(tries))
    }
  }

  /** Reads one connection to its end. */
  private async read(): Promise<Ending> {
    this.connection = new AbortController()
    const { signal } = this.connection
    const watchdog = new Watchdog(silenceMs, () => this.connection?.abort())
    try {
      const response = await fetch(`${this.config.url}?after=${this.after}`, {
        headers: { Accept: 'text/event-stream' },
        credentials: 'same-origin',
        cache: 'no-store',
        signal,
      })
      if (!response.ok || response.body === null) return this.refused(await problemOf(response))
      this.heard()
      const frames = new FrameReader()
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return { kind: 'again' }
        watchdog.reset()
        this.heard()
        for (const frame of frames.push(value)) this.accept(frame)
      }
    } catch {
      return { kind: 'again' } // cut, silent or aborted: all are settled by connecting again
    } finally {
      watchdog.stop()
    }
  }

  private refused(problem: Problem): Ending {
    const afterMs = problem.fields.retryAfter === undefined ? undefined : problem.fields.retryAfter * 1000
    switch (problem.status) {
      case 401:
        this.spread({ type: 'signed-out' })
        return { kind: 'stop' }
      case 403:
        this.setLiveness({ state: 'stale', since: this.lastHeard })
        return { kind: 'stop' }
      case 410:
        return { kind: 'reset' }
      case 503:
        if (problem.kind === 'sealed') {
          this.spread({ type: 'sealed' })
          return { kind: 'stop' }
        }
        return { kind: 'again', afterMs }
      default:
        return { kind: 'again', afterMs }
    }
  }

  private accept(frame: string | undefined) {
    if (frame === undefined) return
    let change: unknown
    try {
      change = JSON.parse(frame)
    } catch {
      return // not ours; the next connection asks for what is missing
    }
    if (!isChange(change)) return
    this.after = Math.max(this.after, change.seq)
    this.spread({ type: 'change', change })
  }

  private heard() {
    this.lastHeard = Date.now()
    if (this.liveness.state !== 'live') this.setLiveness({ state: 'live' })
  }

  private setLiveness(next: Liveness) {
    if (next.state === 'reconnecting') {
      if (this.liveness.state === 'stale') return // it stays stale until it is live
      // Counted from the first: every try that fails says it again.
      this.staleness ??= setTimeout(() => this.setLiveness({ state: 'stale', since: this.lastHeard }), staleMs)
    } else {
      clearTimeout(this.staleness)
      this.staleness = undefined
    }
    this.liveness = next
    this.spread({ type: 'liveness', liveness: next })
  }

  /** Acts on a message here and in the other tabs. */
  private spread(message: Message) {
    this.tell(message)
    this.act(message)
  }

  private tell(message: Message) {
    if (!this.stopped.signal.aborted) this.channel?.postMessage(message)
  }

  private receive(message: Message) {
    if (message.type === 'ask') {
      if (this.leading) this.tell({ type: 'liveness', liveness: this.liveness })
      return
    }
    if (message.type === 'change') this.after = Math.max(this.after, message.change.seq)
    if (message.type === 'reset') this.after = 0
    if (message.type === 'liveness') this.liveness = message.liveness
    this.lastHeard = Date.now()
    this.act(message)
  }

  private act(message: Message) {
    switch (message.type) {
      case 'change':
        this.queue.push(message.change)
        this.flushing ??= setTimeout(() => this.flush(), batchMs)
        return
      case 'liveness':
        return this.config.onLiveness(message.liveness)
      case 'signed-out':
        return this.config.onSignedOut()
      case 'sealed':
        return this.config.onSealed()
      case 'reset':
        this.queue = []
        return this.config.onReset()
      case 'ask':
        return
    }
  }

  private flush() {
    this.flushing = undefined
    const changes = this.queue
    this.queue = []
    if (changes.length > 0) this.config.onChanges(newestOf(changes))
  }

  private readonly onVisible = () => {
    if (!this.leading || document.visibilityState !== 'visible') return
    if (Date.now() - this.lastHeard >= silenceMs) {
      this.connection?.abort()
      this.wake?.()
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Keeps the newest change of each object, in order of arrival. */
export function newestOf(changes: Change[]): Change[] {
  const newest = new Map<string, Change>()
  for (const change of changes) {
    const key = `${change.kind}/${change.id}`
    const known = newest.get(key)
    if (!known || change.rev >= known.rev) newest.set(key, change)
  }
  return [...newest.values()]
}

class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly ms: number
  private readonly bark: () => void

  constructor(ms: number, bark: () => void) {
    this.ms = ms
    this.bark = bark
    this.reset()
  }

  reset() {
    clearTimeout(this.timer)
    this.timer = setTimeout(this.bark, this.ms)
  }

  stop() {
    clearTimeout(this.timer)
  }
}
