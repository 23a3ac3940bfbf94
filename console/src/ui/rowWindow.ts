import { type RefObject, useEffect, useState } from 'react'
import { flushSync } from 'react-dom'

/** Rows drawn above and below those on the screen, for scrolling that runs ahead of drawing. */
const spare = 5

export interface RowWindow {
  /** The rows to draw: from `first` up to, not including, `end`. */
  first: number
  end: number
  /** At most so many are drawn, wherever the window is. */
  slots: number
  /** For the element that scrolls. */
  onScroll: () => void
  /** Scrolls as little as shows the row whole. */
  show: (index: number) => void
  /** Draws from the first row on. The caller, who may be drawing, scrolls there afterwards. */
  reset: () => void
}

/**
 * Which of `count` rows, each `height` px high, are on the screen of an element
 * that scrolls; `head` px of it are covered by what sticks to its top. Rows of
 * one height need no measuring: a library that keeps the place of each row took
 * 170 ms to lay out 100,000 of them.
 */
export function useRowWindow(scroller: RefObject<HTMLElement | null>, { count, height, head = 0 }: { count: number; height: number; head?: number }): RowWindow {
  const [top, setTop] = useState(0)
  const [fits, setFits] = useState(() => Math.ceil(window.innerHeight / height))
  const topOf = (element: HTMLElement) => Math.floor(element.scrollTop / height)
  const empty = count === 0
  useEffect(() => {
    const element = scroller.current
    if (empty || !element) return
    // Called at once, when the browser has laid the page out: asking it here would make it do so twice.
    const observer = new ResizeObserver(() => {
      setTop(Math.floor(element.scrollTop / height))
      setFits(Math.ceil(element.clientHeight / height) + 1)
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [scroller, height, empty])
  const from = Math.min(top, Math.max(0, count - 1))
  const to = (y: number) => {
    const element = scroller.current
    if (!element) return
    element.scrollTop = y
    setTop(topOf(element))
  }
  return {
    first: Math.max(0, from - spare),
    end: Math.min(count, from + fits + spare),
    slots: fits + 2 * spare,
    onScroll: () => {
      const element = scroller.current
      // Before the next frame, or rows that are not drawn yet are seen as a gap.
      if (element && !empty) flushSync(() => setTop(topOf(element)))
    },
    show: (index) => {
      const element = scroller.current
      if (!element) return
      const start = index * height
      if (start < element.scrollTop) to(start)
      else if (start + height + head > element.scrollTop + element.clientHeight) to(start + height + head - element.clientHeight)
    },
    reset: () => setTop(0),
  }
}
