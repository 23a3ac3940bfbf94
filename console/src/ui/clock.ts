import { useSyncExternalStore } from 'react'

const tickMs = 5_000

/** One timer for all the times on a page: a list shows hundreds. It runs while somebody watches. */
class Clock {
  private readonly watchers = new Set<() => void>()
  private timer: ReturnType<typeof setInterval> | undefined

  readonly watch = (watcher: () => void) => {
    this.watchers.add(watcher)
    this.timer ??= setInterval(() => this.watchers.forEach((tell) => tell()), tickMs)
    return () => {
      this.watchers.delete(watcher)
      if (this.watchers.size > 0) return
      clearInterval(this.timer)
      this.timer = undefined
    }
  }
}
const clock = new Clock()

/** What `read` makes of the present, at most 5 s late; drawn again only when that is another text. */
export function useClock<T extends string | undefined>(read: (now: number) => T): T {
  return useSyncExternalStore(clock.watch, () => read(Date.now()))
}
