import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { readinessState } from './plan'

/** Whether the next reset of an account would go through, as far as a rehearsal showed. */
export function Readiness({ state, at }: { state: string | undefined; at?: string }) {
  if (!state) return null
  const known = readinessState(state)
  if (known === undefined) return <span>{state.replaceAll('_', ' ')}</span>
  return <State object="readiness" state={known}>{at !== undefined && <Time at={at} />}</State>
}
