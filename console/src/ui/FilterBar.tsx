import { Combobox, Pill, PillsInput, useCombobox } from '@mantine/core'
import { IconSearch } from '@tabler/icons-react'
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import classes from './FilterBar.module.css'
import { type FilterField, type FilterState, filterText, noFilter, readTyped, suggestions, withoutToken, withToken } from './filter'
import { count } from './format'
import { iconProps } from './icons'

export interface FilterBarProps {
  /** The field's name: "Filter Secrets". */
  label: string
  fields: readonly FilterField[]
  /** As the URL has it. */
  value: FilterState
  /** Called with each filter that may be sent: tokens at once, free text after 150 ms of rest. */
  onChange: (value: FilterState) => void
  /** Called when somebody turns to the field: what its suggestions need is read now. */
  onFocus?: () => void
}

const restMs = 150

/**
 * A filter of tokens `key:value` and a part of a name. The field owns what is
 * being typed; text that could be a value stays in it and goes nowhere.
 */
export function FilterBar({ label, fields, value, onChange, onFocus }: FilterBarProps) {
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() })
  const [typed, setTyped] = useState(value.text)
  const [refusal, setRefusal] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined)
  const sent = useRef(value.text)
  const now = useRef({ value, onChange })
  const noteId = useId()
  useEffect(() => {
    now.current = { value, onChange }
  })
  useEffect(() => {
    // A filter that came from elsewhere (Back, "clear") replaces the text; our own answer does not.
    if (value.text === sent.current) return
    sent.current = value.text
    setTyped(value.text)
    setRefusal('')
  }, [value.text])
  useEffect(() => () => clearTimeout(rest.current), [])

  const send = (next: FilterState) => {
    clearTimeout(rest.current)
    sent.current = next.text
    now.current.onChange(next)
  }
  /** Takes typed text: as a token when it is whole, else as a part of a name. */
  const take = (text: string, whole: boolean) => {
    const read = readTyped(text, fields)
    const { tokens } = now.current.value
    if (read.kind === 'refused') {
      setRefusal(whole || !text.endsWith(':') ? read.why : '')
      if (now.current.value.text !== '') send({ tokens, text: '' })
    } else if (read.kind === 'text') {
      setRefusal('')
      if (read.text !== now.current.value.text) send({ tokens, text: read.text })
    } else if (whole) {
      setRefusal('')
      setTyped('')
      send({ tokens: withToken(tokens, read.token), text: '' })
    } else if (now.current.value.text !== '') send({ tokens, text: '' })
  }
  const type = (text: string) => {
    setTyped(text)
    setRefusal('')
    combobox.openDropdown()
    combobox.resetSelectedOption()
    clearTimeout(rest.current)
    rest.current = setTimeout(() => take(text, false), restMs)
  }
  const remove = (index: number, edit = false) => {
    const token = value.tokens[index]
    if (token === undefined) return
    send({ tokens: withoutToken(value.tokens, token), text: '' })
    setTyped(edit ? `${token.key}:${token.value}` : '')
    input.current?.focus()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter' && combobox.getSelectedOptionIndex() === -1) {
      event.preventDefault()
      take(typed, true)
      combobox.closeDropdown()
    } else if (event.key === 'Backspace' && typed === '' && value.tokens.length > 0) {
      event.preventDefault()
      remove(value.tokens.length - 1, true)
    } else if (event.key === 'Delete' && typed === '') remove(value.tokens.length - 1)
  }
  const offered = suggestions(typed, fields, value.tokens)
  const clear = () => {
    setTyped('')
    setRefusal('')
    send(noFilter)
    input.current?.focus()
  }
  return (
    <div className={classes.bar}>
      <Combobox
        store={combobox}
        onOptionSubmit={(text) => {
          if (text.endsWith(':')) type(text)
          else {
            take(text, true)
            combobox.closeDropdown()
          }
        }}
      >
        <Combobox.DropdownTarget>
          <PillsInput error={refusal !== ''} leftSection={<IconSearch {...iconProps} />} onClick={() => input.current?.focus()}>
            <Pill.Group gap={4}>
              {value.tokens.map((token, i) => (
                <Pill
                  key={filterText({ tokens: [token], text: '' })}
                  className={classes.token}
                  withRemoveButton
                  removeButtonProps={{ 'aria-label': `Remove ${token.key}:${token.value}`, 'aria-hidden': false, tabIndex: 0 }}
                  onRemove={() => remove(i)}
                >
                  <span className={classes.key}>{token.key}:</span><bdi>{token.value}</bdi>
                </Pill>
              ))}
              <Combobox.EventsTarget>
                <PillsInput.Field
                  ref={input}
                  aria-label={label}
                  aria-describedby={refusal === '' ? undefined : noteId}
                  aria-invalid={refusal !== '' || undefined}
                  placeholder={value.tokens.length === 0 ? 'Filter by name, or key:value' : 'add a filter…'}
                  value={typed}
                  autoComplete="off"
                  autoCapitalize="none"
                  spellCheck={false}
                  data-filter=""
                  onChange={(event) => type(event.currentTarget.value)}
                  onKeyDown={onKeyDown}
                  onFocus={() => {
                    onFocus?.()
                    combobox.openDropdown()
                  }}
                  onBlur={() => combobox.closeDropdown()}
                />
              </Combobox.EventsTarget>
            </Pill.Group>
          </PillsInput>
        </Combobox.DropdownTarget>
        <Combobox.Dropdown hidden={offered.length === 0}>
          <Combobox.Options aria-label={`${label}: suggestions`}>
            {offered.map((option) => (
              <Combobox.Option key={option.text} value={option.text}>
                <span className={classes.option}>
                  <bdi>{option.label}</bdi>
                  <span className={classes.hint}>{option.text.endsWith(':') ? option.text : option.count !== undefined && count(option.count)}</span>
                </span>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {(value.tokens.length > 0 || typed !== '') && (
        <button type="button" className={classes.clear} onClick={clear}>Clear</button>
      )}
      <p id={noteId} role="status" className={classes.refusal}>{refusal}</p>
    </div>
  )
}
