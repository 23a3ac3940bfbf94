import { type StateInfo, type StateObject, type StateOf, states } from '../api/states'
import classes from './Counts.module.css'
import { count } from './format'
import { iconProps, stateIcons } from './icons'
import { toneOf } from './State'

export interface CountsProps<O extends StateObject> {
  /** What is counted: "Secrets by state". */
  label: string
  object: O
  /** By state, as the server counted with every other filter applied. */
  counts: Partial<Record<StateOf<O>, number>>
  /** All of them; without it the sum of the counts. */
  total?: number
  /** The states that the filter asks for; none is all. */
  chosen: readonly StateOf<O>[]
  onChoose: (states: readonly StateOf<O>[]) => void
}

/** How many are in each state, each a filter of one click; a second click takes it away. States without any are not drawn. */
export function Counts<O extends StateObject>({ label, object, counts, total, chosen, onChoose }: CountsProps<O>) {
  const words = Object.keys(states[object]) as StateOf<O>[]
  const shown = words.filter((word) => (counts[word] ?? 0) > 0 || chosen.includes(word))
  const all = total ?? words.reduce((sum, word) => sum + (counts[word] ?? 0), 0)
  const turn = (word: StateOf<O>) => onChoose(chosen.includes(word) ? chosen.filter((other) => other !== word) : [...chosen, word])
  return (
    <div role="group" aria-label={label} className={classes.counts}>
      <button type="button" className={classes.count} aria-pressed={chosen.length === 0} onClick={() => onChoose([])}>
        All <b>{count(all)}</b>
      </button>
      {shown.map((word) => {
        const info = states[object][word] as StateInfo
        const Icon = stateIcons[info.icon as keyof typeof stateIcons]
        return (
          <button key={word} type="button" className={classes.count} data-tone={toneOf(object, word)} aria-pressed={chosen.includes(word)} title={info.meaning} onClick={() => turn(word)}>
            <Icon {...iconProps} />
            {info.word} <b>{count(counts[word] ?? 0)}</b>
          </button>
        )
      })}
    </div>
  )
}
