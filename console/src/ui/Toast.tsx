import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import classes from './Toast.module.css'
import { ToastContext } from './say'

const shownMs = 5000
const most = 3

/** The one polite region of the console, below all pages. Each line stays for five seconds, longer while it is pointed at. */
export function ToastRegion({ children }: { children: ReactNode }) {
  const [lines, setLines] = useState<readonly { id: number; text: string }[]>([])
  const next = useRef(0)
  const held = useRef(false)
  const say = useCallback((text: string) => {
    const id = next.current++
    setLines((before) => [...before, { id, text }].slice(-most))
  }, [])
  const oldest = lines[0]?.id
  useEffect(() => {
    if (oldest === undefined) return
    const timer = setInterval(() => {
      if (!held.current) setLines((before) => before.filter(({ id }) => id !== oldest))
    }, shownMs)
    return () => clearInterval(timer)
  }, [oldest])
  return (
    <ToastContext value={say}>
      {children}
      <div
        role="status"
        aria-live="polite"
        className={classes.region}
        onMouseEnter={() => (held.current = true)}
        onMouseLeave={() => (held.current = false)}
      >
        {lines.map(({ id, text }) => <p key={id} className={classes.line}>{text}</p>)}
      </div>
    </ToastContext>
  )
}
