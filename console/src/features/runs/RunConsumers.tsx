import { Button } from '@mantine/core'
import { type SyntheticEvent, useState } from 'react'
import { count, sentence } from '../../ui/format'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import type { Run } from './run'
import classes from './Run.module.css'
import { consumersText, groupRollouts, podsText, type Rollout, type RolloutGroup, rolloutState, whyNone } from './rollouts'

// Up to this many rows are opened and drawn without being asked for.
const openRows = 30
const drawnRows = 100

/** The workloads that read the keys, by cluster, and how far their pods are; what waits for somebody comes first. */
export function RunConsumers({ run }: { run: Run }) {
  const rollouts = run.rollouts ?? []
  const unseen = run.unseen ?? []
  const few = rollouts.length <= openRows
  return (
    <div className={classes.groups}>
      <p className={classes.quiet}>{rollouts.length === 0 ? whyNone(run) : consumersText(rollouts)}</p>
      {unseen.length > 0 && (
        <div className={classes.unseen}>
          <p><b>Not seen,</b> and so neither restarted nor watched:</p>
          <ul>{unseen.map((text) => <li key={text}>{sentence(text)}</li>)}</ul>
        </div>
      )}
      {groupRollouts(rollouts).map((group) => <Group key={group.clusterId} group={group} opened={few || group.waits} />)}
    </div>
  )
}

function Group({ group, opened }: { group: RolloutGroup; opened: boolean }) {
  // Once a person has opened or closed it, it stays so.
  const [chosen, setChosen] = useState<boolean>()
  const [all, setAll] = useState(false)
  const open = chosen ?? opened
  const shown = all ? group.rollouts : group.rollouts.slice(0, drawnRows)
  const onToggle = ({ currentTarget }: SyntheticEvent<HTMLDetailsElement>) => {
    if (currentTarget.open !== open) setChosen(currentTarget.open)
  }
  return (
    <details className={classes.group} open={open} onToggle={onToggle}>
      <summary>
        <span className={classes.groupName}><bdi>{group.cluster}</bdi></span>
        <span className={classes.groupCount}>{group.text}</span>
      </summary>
      {open && (
        <ul className={classes.writes} aria-label={`Workloads in ${group.cluster}`}>
          {shown.map((rollout) => <Workload key={rollout.uid} rollout={rollout} />)}
        </ul>
      )}
      {open && shown.length < group.rollouts.length && (
        <Button size="compact-sm" variant="default" m="sm" onClick={() => setAll(true)}>Show all {count(group.rollouts.length)}</Button>
      )}
    </details>
  )
}

function Workload({ rollout }: { rollout: Rollout }) {
  const known = rolloutState(rollout.state)
  return (
    <li className={classes.workload}>
      <span className={classes.key}><span className={classes.of}>{rollout.kind}</span> <bdi>{rollout.namespace}/{rollout.name}</bdi></span>
      <span>{known === undefined ? rollout.state : <State object="rollout" state={known} />}</span>
      <span className={classes.pods}>{podsText(rollout)}</span>
      <span className={classes.seen}>{rollout.at !== undefined && <Time at={rollout.at} as="exact" />}</span>
      {(rollout.reason !== undefined || rollout.cure !== undefined) && (
        <div className={classes.reason}>
          {rollout.reason && <p>{sentence(rollout.reason)}</p>}
          {rollout.cure && <p><b>What to do now:</b> {sentence(rollout.cure)}</p>}
        </div>
      )}
    </li>
  )
}
