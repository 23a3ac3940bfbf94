import { Button } from '@mantine/core'
import { useState } from 'react'
import { count, sentence } from '../../ui/format'
import { actionText, type PlanWorkload, usesText, worstWorkloads } from './plan'
import classes from './plans.module.css'

const drawn = 100

/** What reads the keys, and what becomes of it; those first that keep a run from its end. */
export function PlanWorkloads({ workloads }: { workloads: readonly PlanWorkload[] }) {
  const [all, setAll] = useState(false)
  if (workloads.length === 0) return <p className={classes.quiet}>No workload was seen that reads these keys.</p>
  const sorted = worstWorkloads(workloads)
  const shown = all ? sorted : sorted.slice(0, drawn)
  return (
    <>
      <ul className={classes.list} aria-label="Workloads">
        {shown.map((one) => (
          <li key={`${one.clusterId} ${one.uid}`}>
            <div className={classes.line}>
              <span className={classes.name}><span className={classes.quiet}>{one.kind}</span> <bdi>{one.namespace}/{one.name}</bdi> <span className={classes.quiet}>in <bdi>{one.cluster}</bdi></span></span>
              <span>{actionText(one)}</span>
              <span className={classes.quiet}>{count(one.ready)} of {count(one.pods)} {one.pods === 1 ? 'pod' : 'pods'} ready</span>
            </div>
            <p className={classes.quiet}>{usesText(one)}</p>
            {one.reason && <p className={classes.quiet}>{sentence(one.reason)}</p>}
            {one.cure && <p className={classes.quiet}><b>What to do now:</b> {sentence(one.cure)}</p>}
            {(one.warnings ?? []).map(({ code, text, cure }) => <p key={code} className={classes.warn}>{sentence(text)}{cure && <> <b>What to do now:</b> {sentence(cure)}</>}</p>)}
          </li>
        ))}
      </ul>
      {shown.length < sorted.length && <Button size="compact-sm" variant="default" mt="sm" onClick={() => setAll(true)}>Show all {count(sorted.length)}</Button>}
    </>
  )
}
