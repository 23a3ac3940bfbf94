import { Time } from '../../ui/Time'
import type { Schemas } from '../../app/api'
import { inZone, type Rotation } from './policy'
import classes from './policies.module.css'

/** When a value that is made now, and those after it, would be changed: in the policy's zone, each with why. */
export function NextTimes({ next, rotation }: { next: readonly Schemas['PolicyTime'][]; rotation: Rotation }) {
  if (next.length === 0) return <p className={classes.quiet}>The clock changes no value.{rotation.onReveal ? ` One that somebody saw is changed ${rotation.onReveal} later.` : ''}</p>
  return (
    <>
      <p className={classes.quiet}>A value that is made now, and those after it, in {rotation.zone || 'UTC'}:</p>
      <ol className={classes.times}>
        {next.map(({ at, why }) => (
          <li key={at}>
            {inZone(at, rotation.zone)}, <Time at={at} />
            <span className={classes.why}>{why}</span>
          </li>
        ))}
      </ol>
      {rotation.jitter && <p className={classes.quiet}>Accounts are spread over {rotation.jitter} from then on.</p>}
    </>
  )
}
