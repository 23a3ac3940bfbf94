import { Button, Group, Input, TextInput } from '@mantine/core'
import { usePreferences } from '../../ui/preferences'
import { fromField, toField } from '../audit/audit'
import { type Blackout, blackoutsOf, blackoutsText } from './draft'
import classes from './policies.module.css'
import type { FieldsProps } from './ScheduleFields'

const hour = 3_600_000
const most = 100

/** The next whole hour, and the one a day later. */
function nextDay(now: number): Blackout {
  const from = Math.ceil(now / hour) * hour
  return { from: new Date(from).toISOString(), to: new Date(from + 24 * hour).toISOString(), why: '' }
}

/** Times in which nothing is changed, whatever else says; picked and shown in the zone of the person. */
export function Blackouts({ draft, onChange, errorOf }: FieldsProps) {
  const { preferences: { zone } } = usePreferences()
  const all = blackoutsOf(draft.blackouts)
  const put = (next: readonly Blackout[]) => onChange({ blackouts: blackoutsText(next) })
  const change = (at: number, part: Partial<Blackout>) => put(all.map((one, i) => (i === at ? { ...one, ...part } : one)))
  const where = zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone
  const error = errorOf('blackouts')
  return (
    <div className={classes.form}>
      <p className={classes.quiet}>Blackouts are times in which nothing is changed, whatever else says. They are shown in {where}.</p>
      {all.map((one, i) => (
        <fieldset key={i} className={classes.blackout}>
          <legend>Blackout {i + 1}</legend>
          <TextInput type="datetime-local" step={60} label="From" value={toField(one.from, zone).slice(0, 16)} onChange={(event) => change(i, { from: fromField(event.currentTarget.value, zone) ?? one.from })} />
          <TextInput type="datetime-local" step={60} label="To" value={toField(one.to, zone).slice(0, 16)} onChange={(event) => change(i, { to: fromField(event.currentTarget.value, zone) ?? one.to })} />
          <TextInput className={classes.whole} label="Why" value={one.why} maxLength={200} autoComplete="off" onChange={(event) => change(i, { why: event.currentTarget.value })} />
          <Group className={classes.whole}><Button size="compact-sm" variant="default" aria-label={`Take away blackout ${i + 1}`} onClick={() => put(all.filter((_, j) => j !== i))}>Take away</Button></Group>
        </fieldset>
      ))}
      {error !== undefined && <Input.Error>{error}</Input.Error>}
      <Group><Button variant="default" disabled={all.length >= most} onClick={() => put([...all, nextDay(Date.now())])}>Add a blackout</Button></Group>
    </div>
  )
}
