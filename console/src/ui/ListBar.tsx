import type { ReactNode } from 'react'
import classes from './ListBar.module.css'

/** What stands above a list: its filter, and the counts by state beside it where there is room. */
export function ListBar({ children }: { children: ReactNode }) {
  return <div className={classes.bar}>{children}</div>
}
