import { Button, Group, Textarea } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { changedMeanwhile } from '../../api/client'
import { asProblem, type Problem } from '../../api/problem'
import { BothSides } from '../../ui/BothSides'
import { ProblemView } from '../../ui/ProblemView'
import { type Contested, contested, firstSide } from '../../ui/sides'
import { fieldError } from '../resources/fields'
import { type Draft, type Key, labels } from './draft'
import { PasswordFields } from './PasswordFields'
import classes from './policies.module.css'
import { Preview, usePreview } from './Preview'
import { CheckFields, Field, type FieldsProps, RestartFields, ScheduleFields, WaveFields } from './ScheduleFields'

export interface PolicyFormProps {
  start: Draft
  /** What the button says. */
  action: string
  /** The built-in policy keeps its name. */
  fixedName?: boolean
  /** Sends the draft; `base` is what it began with. Rejected, the form stays with the problem. */
  onSave: (draft: Draft, base: Draft) => Promise<void>
  /** Reads what is stored now, after somebody else was faster. */
  onRead?: () => Promise<Draft>
  cancel: ReactNode
}

const keysOf = Object.keys(labels) as Key[]

interface Conflict {
  round: number
  fields: Contested[]
  mine: Draft
  theirs: Draft
}

/** All that a policy says, with what it comes to beside it. */
export function PolicyForm({ start, action, fixedName = false, onSave, onRead, cancel }: PolicyFormProps) {
  const [base, setBase] = useState(start)
  const [draft, setDraft] = useState(start)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const [conflict, setConflict] = useState<Conflict>()
  const previewed = usePreview(draft)
  const onChange = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }))
  /** What was not typed here becomes what somebody else stored. */
  const compare = async () => {
    if (onRead === undefined) return
    const theirs = await onRead()
    const fields = contested(keysOf.map((key) => ({ key, label: labels[key], base: base[key], mine: draft[key], theirs: theirs[key] })))
    const taken = Object.fromEntries(fields.filter((field) => firstSide(field) === 'theirs').map(({ key }) => [key, theirs[key as Key]]))
    setConflict((before) => ({ round: (before?.round ?? 0) + 1, fields, mine: draft, theirs }))
    setBase(theirs)
    onChange(taken)
  }
  const save = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setProblem(undefined)
    try {
      await onSave(draft, base)
    } catch (error) {
      setProblem(asProblem(error))
      if (changedMeanwhile(error)) await compare().catch((failed: unknown) => setProblem(asProblem(failed)))
    } finally {
      setBusy(false)
    }
  }
  const errorOf = (key: Key) => fieldError(problem, key) ?? fieldError(previewed.problem, key)
  const fields: FieldsProps = { draft, onChange, errorOf }
  return (
    <div className={classes.columns}>
      <form className={classes.form} onSubmit={(event) => void save(event)}>
        {problem && <ProblemView problem={problem} />}
        {conflict && <BothSides key={conflict.round} fields={conflict.fields} onChoose={(key, side) => onChange({ [key]: conflict[side][key as Key] })} />}
        <fieldset className={classes.part}>
          <legend>The policy</legend>
          {!fixedName && <Field of="name" description="Letters, digits, dots, dashes and underscores." maxLength={64} required {...fields} />}
          <Textarea label={labels.description} autosize minRows={1} maxLength={1000} value={draft.description} onChange={(event) => onChange({ description: event.currentTarget.value })} error={errorOf('description')} />
        </fieldset>
        <ScheduleFields {...fields} />
        <CheckFields {...fields} />
        <WaveFields {...fields} />
        <RestartFields {...fields} />
        <PasswordFields {...fields} />
        <Group gap="sm">
          <Button type="submit" loading={busy}>{action}</Button>
          {cancel}
        </Group>
      </form>
      <Preview of={previewed} />
    </div>
  )
}
