import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { type SyntheticEvent, useState } from 'react'
import { count, sentence } from '../../ui/format'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { groupWrites, type RunWrite, type WriteGroup, writeState } from './run'
import classes from './Run.module.css'

// Up to this many rows are opened and drawn without being asked for.
const openRows = 30
const drawnRows = 100

/** What became of each mapped key, by cluster and namespace, the worst first. */
export function RunWrites({ writes }: { writes: readonly RunWrite[] }) {
  const groups = groupWrites(writes)
  if (groups.length === 0) return <p className={classes.quiet}>No Secret key is mapped to this account, so nothing is written to a cluster.</p>
  const few = writes.length <= openRows
  return (
    <div className={classes.groups}>
      {groups.map((group) => <Group key={`${group.cluster}/${group.namespace}`} group={group} opened={few || !group.settled} />)}
    </div>
  )
}

function Group({ group, opened }: { group: WriteGroup; opened: boolean }) {
  const [open, setOpen] = useState(opened)
  const [all, setAll] = useState(false)
  const shown = all ? group.writes : group.writes.slice(0, drawnRows)
  const onToggle = (event: SyntheticEvent<HTMLDetailsElement>) => setOpen(event.currentTarget.open)
  return (
    <details className={classes.group} open={open} onToggle={onToggle}>
      <summary>
        <span className={classes.groupName}><bdi>{group.cluster}</bdi> / <bdi>{group.namespace}</bdi></span>
        <span className={classes.groupCount}>{count(group.proved)} of {count(group.writes.length)} proved</span>
      </summary>
      {open && (
        <ul className={classes.writes}>
          {shown.map((write) => <Write key={write.mappingId} write={write} />)}
        </ul>
      )}
      {open && shown.length < group.writes.length && (
        <Button size="compact-sm" variant="default" m="sm" onClick={() => setAll(true)}>Show all {count(group.writes.length)}</Button>
      )}
    </details>
  )
}

function Write({ write }: { write: RunWrite }) {
  const known = writeState(write.state)
  const path = [write.cluster, write.namespace, write.secret].map(encodeURIComponent).join('/')
  return (
    <li className={classes.write}>
      <span className={classes.key}>
        <Link to={`/secrets/${path}`}><bdi>{write.secret}</bdi></Link>: <bdi>{write.key}</bdi>
      </span>
      <span>
        {known === undefined ? write.state : known.object === 'key' ? <State object="key" state={known.state} /> : <State object="step" state={known.state} />}
      </span>
      <span className={classes.at}>{write.at !== undefined && <Time at={write.at} as="exact" />}</span>
      {(write.reason !== undefined || write.taken !== undefined || write.cure !== undefined) && (
        <div className={classes.reason}>
          {write.reason && <p>{sentence(write.reason)}</p>}
          {write.taken && <p>The field was taken over from <bdi>{write.taken}</bdi>.</p>}
          {write.cure && <p><b>What to do now:</b> {sentence(write.cure)}</p>}
        </div>
      )}
    </li>
  )
}
