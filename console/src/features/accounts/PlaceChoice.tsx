import { Select, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { atOf, complete, type Format, formatNames, type Place, placeText } from './place'

const whole = 'whole'
const another = 'another'

/** Where in the key's value it stands: all of it, what its form says, or what a person says. */
export function PlaceChoice({ label, proposed, place, onChoose }: { label: string; proposed: readonly Place[]; place: Place | undefined; onChoose: (place: Place | undefined) => void }) {
  const [own, setOwn] = useState<Place>()
  const at = proposed.findIndex((one) => placeText(one) === placeText(place))
  const value = own !== undefined ? another : place === undefined ? whole : String(at)
  return (
    <>
      <Select
        label={label}
        description={proposed.length > 0 ? 'By its form the value holds more than a password.' : undefined}
        data={[{ value: whole, label: 'the whole value' }, ...proposed.map((one, i) => ({ value: String(i), label: `a part of it: ${placeText(one)}` })), { value: another, label: 'another part of it…' }]}
        value={value}
        onChange={(next) => {
          setOwn(next === another ? { format: 'url' } : undefined)
          onChoose(next === another ? { format: 'url' } : proposed[Number(next)])
        }}
        allowDeselect={false}
      />
      {own !== undefined && <Own place={own} onChange={setOwn} onDone={onChoose} />}
    </>
  )
}

const formats = Object.entries(formatNames).map(([value, label]) => ({ value, label }))

/** Handed on when a field is left or Enter is pressed: half a place is none. */
function Own({ place, onChange, onDone }: { place: Place; onChange: (place: Place) => void; onDone: (place: Place) => void }) {
  const rule = atOf[place.format]
  const done = (next: Place) => complete(next) && onDone(next)
  const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const
  return (
    <>
      <Select
        label="Format"
        data={formats}
        value={place.format}
        onChange={(next) => {
          const format = (next ?? 'url') as Format
          onChange({ format })
          done({ format })
        }}
        allowDeselect={false}
      />
      {rule && (
        <TextInput
          {...plain}
          label={rule.label}
          placeholder={rule.example}
          required={rule.needed}
          value={place.at ?? ''}
          onChange={(event) => onChange({ ...place, at: event.currentTarget.value })}
          onBlur={() => done(place)}
          onKeyDown={(event) => event.key === 'Enter' && done(place)}
        />
      )}
      {place.format === 'template' && (
        <Textarea
          {...plain}
          label="Text"
          description="The value as it is, with {{user}} and {{password}} where they stand; {{password:percent}}, :base64 and :json encode it."
          autosize
          minRows={3}
          value={place.template ?? ''}
          onChange={(event) => onChange({ ...place, template: event.currentTarget.value })}
          onBlur={() => done(place)}
        />
      )}
    </>
  )
}
