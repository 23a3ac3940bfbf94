import { type ReactNode, useEffect, useRef } from 'react'
import classes from './Page.module.css'

/** A page outside the rail: it takes the focus to its h1 and names the tab. */
export function PlainPage({ title, children }: { title: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Keyturn`
    heading.current?.focus()
  }, [title])
  return (
    <main className={classes.plain}>
      <div className={classes.card}>
        <p className={classes.brand}>Keyturn</p>
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {children}
      </div>
    </main>
  )
}
