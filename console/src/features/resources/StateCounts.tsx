import type { StateObject } from '../../api/states'
import { count } from '../../ui/format'
import { State } from '../../ui/State'
import classes from './parts.module.css'
import { known, worstFirst } from './resource'

/** How many are in which state, worst first, in one line. */
export function StateCounts({ object, counts, most = 3 }: { object: StateObject; counts: Readonly<Record<string, number>> | undefined; most?: number }) {
  const all = worstFirst(object, counts)
  if (all.length === 0) return <span className={classes.muted}>none</span>
  return (
    <span className={classes.states}>
      {all.slice(0, most).map(([word, n]) => <State key={word} object={object} state={word}>{count(n)}</State>)}
      {all.length > most && <span className={classes.muted}>+{all.length - most}</span>}
    </span>
  )
}

/** A state of the wire; a word that this console does not know is plain text. */
export function StateWord({ object, state, children }: { object: StateObject; state: string; children?: React.ReactNode }) {
  const word = known(object, state)
  return word === undefined ? <span>{state.replaceAll('_', ' ')}</span> : <State object={object} state={word}>{children}</State>
}
