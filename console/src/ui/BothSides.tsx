import { useEffect, useId, useRef, useState } from 'react'
import classes from './BothSides.module.css'
import { type Contested, firstSide, type Side } from './sides'

export interface BothSidesProps {
  /** The fields on which the two do not agree; the form holds the first side of each already. */
  fields: readonly Contested[]
  /** Puts the chosen side into the form. */
  onChoose: (key: string, side: Side) => void
}

const sides: readonly [Side, string][] = [['mine', 'Keep mine'], ['theirs', 'Take theirs']]

/**
 * What was typed here beside what somebody else stored meanwhile, field by
 * field. Nothing is overwritten before the form is saved again. Give it a key
 * of the stored revision: what is contested does not change under a choice.
 */
export function BothSides({ fields, onChoose }: BothSidesProps) {
  const id = useId()
  const [chosen, setChosen] = useState<Readonly<Record<string, Side>>>(() => Object.fromEntries(fields.map((field) => [field.key, firstSide(field)])))
  const part = useRef<HTMLElement>(null)
  // The button that was pressed may stand far below: what it led to is where the person has to be.
  useEffect(() => {
    part.current?.focus({ preventScroll: true })
    part.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  return (
    <section ref={part} tabIndex={-1} className={classes.sides} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Somebody changed this while you did</h2>
      <p>{fields.length === 0 ? 'What is stored now is what you typed.' : 'Nothing was overwritten. Choose for each field; saving again stores your choice.'}</p>
      {fields.map((field) => (
        <fieldset key={field.key} className={classes.field}>
          <legend>{field.label}</legend>
          {sides.map(([side, label]) => (
            <label key={side} className={classes.side}>
              <input
                type="radio"
                name={`${id}-${field.key}`}
                checked={chosen[field.key] === side}
                onChange={() => {
                  setChosen({ ...chosen, [field.key]: side })
                  onChoose(field.key, side)
                }}
              />
              <span className={classes.who}>{label}</span>{' '}
              <span className={classes.what}><bdi>{field[side] === '' ? 'nothing' : field[side]}</bdi></span>
            </label>
          ))}
        </fieldset>
      ))}
    </section>
  )
}
