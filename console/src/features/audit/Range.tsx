import { Button, TextInput } from '@mantine/core'
import { useEffect, useState } from 'react'
import { usePreferences } from '../../ui/preferences'
import { fromField, toField } from './audit'
import classes from './Audit.module.css'

const spans = [
  { label: '1 h', from: '-1h' },
  { label: '24 h', from: '-24h' },
  { label: '7 d', from: '-168h' },
  { label: '30 d', from: '-720h' },
] as const

interface RangeProps {
  from: string | undefined
  to: string | undefined
  onChange: (from: string | undefined, to: string | undefined) => void
}

/** From when to when: a span before now, or two times to the second in the zone that is shown. */
export function Range({ from, to, onChange }: RangeProps) {
  const { preferences: { zone } } = usePreferences()
  const absolute = (at: string | undefined) => (at === undefined || at.startsWith('-') ? '' : toField(at, zone))
  return (
    <div className={classes.range}>
      <fieldset>
        <legend>Time</legend>
        <Button size="compact-sm" variant="default" aria-pressed={from === undefined && to === undefined} onClick={() => onChange(undefined, undefined)}>All</Button>
        {spans.map((span) => (
          <Button key={span.from} size="compact-sm" variant="default" aria-pressed={from === span.from && to === undefined} onClick={() => onChange(span.from, undefined)}>{span.label}</Button>
        ))}
      </fieldset>
      <Moment key={`from ${from ?? ''}`} label="From" start={absolute(from)} onPick={(text) => onChange(fromField(text, zone), to)} />
      <Moment key={`to ${to ?? ''}`} label="To" start={absolute(to)} onPick={(text) => onChange(from, fromField(text, zone))} />
      <span className={classes.zone}>{zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone}</span>
    </div>
  )
}

/** Handed on when the field is left or Enter is pressed: half a time is none. */
function Moment({ label, start, onPick }: { label: string; start: string; onPick: (text: string) => void }) {
  const [text, setText] = useState(start)
  useEffect(() => setText(start), [start])
  const done = () => text !== start && onPick(text)
  return (
    <TextInput
      className={classes.time}
      size="xs"
      type="datetime-local"
      step={1}
      label={label}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={done}
      onKeyDown={(event) => event.key === 'Enter' && done()}
    />
  )
}
