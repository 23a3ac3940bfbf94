import type { ReactNode } from 'react'
import type { Problem } from '../../api/problem'
import { ProblemView } from '../../ui/ProblemView'
import type { Named } from './named'
import classes from './parts.module.css'

/** Lines where text will stand. They show after 200 ms, so that a quick answer does not flash. */
export function Waiting({ lines = 4 }: { lines?: number }) {
  return (
    <div className={classes.waiting} aria-busy="true">
      <span className={classes.spoken}>Loading</span>
      {Array.from({ length: lines }, (_, i) => <span key={i} className={classes.bone} />)}
    </div>
  )
}

/** Draws what was read, the problem in its place, or that it is awaited. */
export function Loaded<T>({ of, lines, children }: { of: Pick<Named<T>, 'data' | 'problem' | 'onRetry'>; lines?: number; children: (data: T) => ReactNode }) {
  const { data, problem, onRetry } = of
  return (
    <>
      {problem && <Failed problem={problem} onRetry={onRetry} />}
      {data === undefined ? !problem && <Waiting lines={lines} /> : children(data)}
    </>
  )
}

function Failed({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return <div className={classes.failed}><ProblemView problem={problem} onRetry={onRetry} /></div>
}
