import { Checkbox, Group, NumberInput, Radio, Textarea } from '@mantine/core'
import { classesOf, lines, labels, requireOf, requireText } from './draft'
import classes from './policies.module.css'
import { Field, type FieldsProps } from './ScheduleFields'

const words = { lower: 'a–z', upper: 'A–Z', digits: '0–9', symbols: 'symbols' } as const
const inOrder = (chosen: readonly string[]) => classesOf.filter((one) => chosen.includes(one)).join('\n')

/** What a value looks like. */
export function PasswordFields(props: FieldsProps) {
  const { draft, onChange, errorOf } = props
  const phrase = Number(draft.words) > 0
  const require = requireOf(draft.require)
  const set = (one: (typeof classesOf)[number], n: string | number) => {
    const next: Record<string, number> = { ...require }
    if (n === '') delete next[one]
    else next[one] = Number(n)
    onChange({ require: requireText(next) })
  }
  return (
    <fieldset className={classes.part}>
      <legend>What a value looks like</legend>
      <Radio.Group aria-label="What a value looks like" value={phrase ? 'words' : 'characters'} onChange={(next) => onChange(next === 'words' ? { words: '5', length: '' } : { words: '' })}>
        <Group gap="lg">
          <Radio value="characters" label="Characters" classNames={{ radio: classes.radio }} />
          <Radio value="words" label="A passphrase" classNames={{ radio: classes.radio }} />
        </Group>
      </Radio.Group>
      {phrase ? (
        <div className={classes.pair}>
          <NumberInput label={labels.words} description="Up to 20, of three syllables each." min={1} max={20} allowDecimal={false} value={Number(draft.words)} onChange={(next) => onChange({ words: String(Number(next) || 1) })} error={errorOf('words')} />
          <Field of="separator" description="Up to three characters." placeholder="-" maxLength={3} {...props} />
        </div>
      ) : (
        <>
          <NumberInput label={labels.length} description="Of a generated value, and the least of a typed one." placeholder="32" min={1} max={256} allowDecimal={false} value={draft.length === '' ? '' : Number(draft.length)} onChange={(next) => onChange({ length: String(next) })} error={errorOf('length')} maw={240} />
          <Checkbox.Group label={labels.alphabets} description="None chosen: all of them." value={lines(draft.alphabets)} onChange={(next) => onChange({ alphabets: inOrder(next) })} error={errorOf('alphabets')}>
            <Group gap="lg" mt="xs">{classesOf.map((one) => <Checkbox key={one} value={one} label={words[one]} />)}</Group>
          </Checkbox.Group>
          <Checkbox.Group label={labels.first} description="None chosen: any." value={lines(draft.first)} onChange={(next) => onChange({ first: inOrder(next) })} error={errorOf('first')}>
            <Group gap="lg" mt="xs">{classesOf.map((one) => <Checkbox key={one} value={one} label={words[one]} />)}</Group>
          </Checkbox.Group>
          <div role="group" aria-label="How many of each there are at least" className={classes.pair}>
            {classesOf.map((one) => (
              <NumberInput key={one} label={`At least ${words[one]}`} placeholder="as usual" min={0} max={256} allowDecimal={false} value={require?.[one] ?? ''} onChange={(next) => set(one, next)} error={one === 'lower' ? errorOf('require') : undefined} />
            ))}
          </div>
          <Checkbox label="Leave out what shells, URLs and configuration files trip over" checked={draft.usual === 'yes'} onChange={(event) => onChange(event.currentTarget.checked ? { usual: 'yes', exclude: '' } : { usual: '' })} />
          {draft.usual !== 'yes' && <Field of="exclude" description="Characters that must not occur." maxLength={128} {...props} />}
        </>
      )}
      <Textarea label={labels.forbid} description="One a line; none may occur, in whatever case." autosize minRows={1} value={draft.forbid} onChange={(event) => onChange({ forbid: event.currentTarget.value })} error={errorOf('forbid')} autoComplete="off" spellCheck={false} />
      <Checkbox label="Forbid the name of the account too" checked={draft.forbidName === 'yes'} onChange={(event) => onChange({ forbidName: event.currentTarget.checked ? 'yes' : '' })} />
      <NumberInput label={labels.history} description="A new value is none of so many versions, the current one included." min={0} max={100} allowDecimal={false} value={Number(draft.history)} onChange={(next) => onChange({ history: String(Number(next) || 0) })} error={errorOf('history')} maw={240} />
    </fieldset>
  )
}
