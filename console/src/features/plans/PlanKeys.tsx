import { Button } from '@mantine/core'
import { useState } from 'react'
import { count, sentence } from '../../ui/format'
import parts from '../resources/parts.module.css'
import { StateWord } from '../resources/StateCounts'
import { type PlanKey, worstKeys } from './plan'
import classes from './plans.module.css'

const drawn = 100

/** The mapped keys as they stand now, those first that could not be written. */
export function PlanKeys({ keys }: { keys: readonly PlanKey[] }) {
  const [all, setAll] = useState(false)
  if (keys.length === 0) return <p className={classes.quiet}>No Secret key is mapped to this account, so nothing would be written to a cluster.</p>
  const sorted = worstKeys(keys)
  const shown = all ? sorted : sorted.slice(0, drawn)
  return (
    <>
      <table className={parts.table}>
        <thead><tr><th scope="col">Secret</th><th scope="col">Cluster</th><th scope="col">Key</th><th scope="col">Now</th><th scope="col">Owner</th></tr></thead>
        <tbody>
          {shown.map((key) => (
            <tr key={key.mappingId}>
              <td><bdi>{key.namespace}/{key.secret}</bdi></td>
              <td data-label="Cluster"><bdi>{key.cluster}</bdi></td>
              <td data-label="Key"><code><bdi>{key.key}</bdi></code></td>
              <td>
                <StateWord object="key" state={key.state} />
                {key.instead && <div className={classes.quiet}>The Secret is immutable: <bdi>{key.instead}</bdi> takes its place.</div>}
                {key.reason && <div className={classes.quiet}>{sentence(key.reason)}</div>}
                {key.cure && <div className={classes.quiet}><b>What to do now:</b> {sentence(key.cure)}</div>}
              </td>
              <td data-label="Owner"><bdi>{key.ownerName || (key.owner === 'keyturn' ? 'Keyturn' : 'nobody')}</bdi></td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < sorted.length && <Button size="compact-sm" variant="default" mt="sm" onClick={() => setAll(true)}>Show all {count(sorted.length)}</Button>}
    </>
  )
}
