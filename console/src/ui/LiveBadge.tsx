import type { Liveness } from '../api/events'
import { State } from './State'
import { Time } from './Time'

/** Whether what is on the page is as the server has it. */
export function LiveBadge({ liveness }: { liveness: Liveness }) {
  return (
    <span role="status">
      {liveness.state === 'stale' ? (
        <State object="page" state="stale">since <Time at={liveness.since} as="exact" /></State>
      ) : (
        <State object="page" state={liveness.state} />
      )}
    </span>
  )
}
