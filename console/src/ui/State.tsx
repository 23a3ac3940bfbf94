import { type StateInfo, type StateObject, type StateOf, states, type Tone } from '../api/states'
import { iconProps, stateIcons } from './icons'
import classes from './State.module.css'

export type Severity = 'low' | 'medium' | 'high'

const bySeverity: Record<Severity, Tone> = { low: 'neutral', medium: 'warn', high: 'danger' }

export interface StateProps<O extends StateObject> {
  object: O
  /** The word as the API writes it. */
  state: StateOf<O>
  severity?: Severity
  /** What follows the word, such as "4 min ago" or a holder's name. */
  children?: React.ReactNode
}

/** The tone of a state; of a finding it follows the severity. */
export function toneOf<O extends StateObject>(object: O, state: StateOf<O>, severity: Severity = 'high'): Tone {
  const info: StateInfo = states[object][state] as StateInfo
  return info.bySeverity ? bySeverity[severity] : info.tone
}

/**
 * A state as icon and word. What is in order, and plain facts, are quiet text;
 * only what needs a person, is under way or is not proved gets a tinted badge.
 */
export function State<O extends StateObject>({ object, state, severity, children }: StateProps<O>) {
  const info: StateInfo = states[object][state] as StateInfo
  const tone = toneOf(object, state, severity)
  const Icon = stateIcons[info.icon as keyof typeof stateIcons]
  const quiet = tone === 'ok' || tone === 'neutral'
  return (
    <span className={classes.state} data-tone={tone} data-quiet={quiet || undefined} title={info.meaning}>
      <Icon {...iconProps} className={info.icon === 'loader-2' ? classes.turning : undefined} />
      <span>
        {info.word}
        {children !== undefined && <> {children}</>}
      </span>
    </span>
  )
}
