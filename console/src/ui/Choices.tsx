import classes from './Counts.module.css'
import { count } from './format'

export interface ChoicesProps<Key extends string> {
  /** What is chosen from: "Due". */
  label: string
  /** Each with how many there are, when that is known. */
  options: readonly { key: Key; label: string; n?: number }[]
  chosen: Key
  onChoose: (key: Key) => void
}

/** One of a few views of a list, each a click away. */
export function Choices<Key extends string>({ label, options, chosen, onChoose }: ChoicesProps<Key>) {
  return (
    <div role="group" aria-label={label} className={classes.counts}>
      {options.map(({ key, label: text, n }) => (
        <button key={key} type="button" className={classes.count} aria-pressed={key === chosen} onClick={() => onChoose(key)}>
          {text} {n !== undefined && <b>{count(n)}</b>}
        </button>
      ))}
    </div>
  )
}
