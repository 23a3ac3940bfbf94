import { Fragment, type ReactNode, useState } from 'react'
import { changedMeanwhile } from '../../api/client'
import { BothSides } from '../../ui/BothSides'
import { type Contested, contested, firstSide, type Side } from '../../ui/sides'
import { FormDialog } from './FormDialog'
import { changed } from './people'

type Values<Key extends string> = Record<Key, string>

export interface EditField<Key extends string> {
  /** The name of the field in the form. */
  key: Key
  label: string
  /** What the form sends, in the shape of `valuesOf`; without it the text itself. */
  typed?: (text: string) => string
  /** A value as people read it; without it the value itself. */
  words?: (value: string) => string
  /** Draws it, uncontrolled, with this value to begin with. */
  draw: (value: string) => ReactNode
}

export interface EditDialogProps<T, Key extends string> {
  opened: boolean
  onClose: () => void
  title: string
  /** What the button says, with the object. */
  action: string
  object: T
  fields: readonly EditField<Key>[]
  /** The object as the fields show it. Equal texts are equal things. */
  valuesOf: (object: T) => Values<Key>
  /** Reads the object as it is stored now. */
  read: () => Promise<T>
  /** Sends what is different from `base`, under its revision. */
  save: (base: T, difference: Partial<Values<Key>>) => Promise<void>
}

interface Editing<T, Key extends string> {
  opened: boolean
  /** What the fields began with. A newer one that an event brings is not taken silently. */
  base: T
  /** What the fields show when they are drawn; one is drawn anew when its round changes. */
  start: Values<Key>
  rounds: Partial<Record<Key, number>>
  conflict?: { round: number; fields: Contested[]; mine: Values<Key>; theirs: Values<Key> }
}

/** Puts some values into the fields and leaves the others as they are typed. */
function put<T, Key extends string>(editing: Editing<T, Key>, part: Partial<Values<Key>>): Editing<T, Key> {
  const rounds = { ...editing.rounds }
  for (const key of Object.keys(part) as Key[]) rounds[key] = (rounds[key] ?? 0) + 1
  return { ...editing, start: { ...editing.start, ...part }, rounds }
}

/**
 * Edits an object as it was when the dialog was opened. When somebody else was
 * faster nothing is overwritten: both sides are shown, and saving again sends
 * only what was chosen against theirs.
 */
export function EditDialog<T, Key extends string>(props: EditDialogProps<T, Key>) {
  const { opened, onClose, title, action, object, fields, valuesOf, read, save } = props
  const [editing, setEditing] = useState<Editing<T, Key>>({ opened: false, base: object, start: valuesOf(object), rounds: {} })
  if (opened !== editing.opened) setEditing(opened ? { opened, base: object, start: valuesOf(object), rounds: {} } : { ...editing, opened })
  const { base, conflict } = editing
  /** Reads what is stored now; what was not typed here becomes what it is there. */
  const compare = async (mine: Values<Key>) => {
    const now = await read()
    const [was, theirs] = [valuesOf(base), valuesOf(now)]
    const differ = contested(fields.map(({ key, label }) => ({ key, label, base: was[key], mine: mine[key], theirs: theirs[key] })))
    const part = Object.fromEntries(differ.filter((field) => firstSide(field) === 'theirs').map(({ key }) => [key, theirs[key as Key]])) as Partial<Values<Key>>
    setEditing((before) => ({ ...put(before, part), base: now, conflict: { round: (before.conflict?.round ?? 0) + 1, fields: differ, mine, theirs } }))
  }
  const submit = async (field: (name: string) => string) => {
    const mine = Object.fromEntries(fields.map(({ key, typed }) => [key, typed ? typed(field(key)) : field(key)])) as Values<Key>
    const difference = changed(valuesOf(base), mine)
    if (difference === undefined) return
    try {
      await save(base, difference)
    } catch (error) {
      if (changedMeanwhile(error)) await compare(mine)
      throw error
    }
  }
  const choose = (key: string, side: Side) =>
    conflict && setEditing((before) => put(before, { [key]: conflict[side][key as Key] } as Partial<Values<Key>>))
  const worded = conflict?.fields.map((field) => {
    const words = fields.find(({ key }) => key === field.key)?.words ?? ((value: string) => value)
    return { ...field, base: words(field.base), mine: words(field.mine), theirs: words(field.theirs) }
  })
  return (
    <FormDialog opened={opened} onClose={onClose} title={title} action={action} onSubmit={submit}>
      {conflict && worded && <BothSides key={conflict.round} fields={worded} onChoose={choose} />}
      {fields.map(({ key, draw }) => <Fragment key={`${key} ${editing.rounds[key] ?? 0}`}>{draw(editing.start[key])}</Fragment>)}
    </FormDialog>
  )
}
