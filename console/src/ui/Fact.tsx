import type { ReactNode } from 'react'
import classes from './Fact.module.css'

/** A list of labels and what is known of each: a `Fact` a line. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>
}

/** One line of `Facts`. Without content it says that it is not known. */
export function Fact({ label, children }: { label: string; children?: ReactNode }) {
  const bare = children === undefined || children === null || children === ''
  return (
    <div className={classes.fact}>
      <dt>{label}</dt>
      <dd>{bare ? <span className={classes.unknown}>not known</span> : children}</dd>
    </div>
  )
}
