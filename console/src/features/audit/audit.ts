import type { Schemas } from '../../app/api'
import { type StateOf, states } from '../../api/states'
import { type FilterField, filterFromSearch, type FilterState } from '../../ui/filter'
import type { Zone } from '../../ui/format'

export type AuditEvent = Schemas['AuditEvent']
export type Verification = Schemas['AuditVerification']

export const outcomes = ['allowed', 'refused', 'failed'] as const
export const kinds = ['account', 'audit', 'cluster', 'grant', 'group', 'mapping', 'resource', 'run', 'session', 'token', 'user'] as const

/** What an address of the log asks for. */
export interface AuditSearch {
  filter: FilterState
  /** A span before now such as "-24h", or an instant. */
  from: string | undefined
  to: string | undefined
  /** Events older than this one. */
  before: string | undefined
}

const span = /^-\d{1,6}[smh]$/
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The filter's keys. `actions` are offered; any may be typed. */
export function fieldsOf(actions: readonly string[]): FilterField[] {
  return [
    { key: 'actor', label: 'Actor' },
    { key: 'action', label: 'Action', values: actions.map((value) => ({ value })) },
    { key: 'kind', label: 'Kind of object', values: kinds.map((value) => ({ value })) },
    { key: 'object', label: 'Object' },
    { key: 'outcome', label: 'Outcome', values: outcomes.map((value) => ({ value })) },
    { key: 'run', label: 'Run' },
  ]
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
const timeOf = (value: unknown): string | undefined => {
  const text = textOf(value)
  return text !== undefined && (span.test(text) || (instant.test(text) && !Number.isNaN(Date.parse(text)))) ? text : undefined
}

/** Reads an address; what is unknown or no time is dropped. */
export function readSearch(search: Readonly<Record<string, unknown>>): AuditSearch {
  const filter = filterFromSearch(search, fieldsOf([]))
  const tokens = filter.tokens.filter(({ key, value }) => key !== 'outcome' || (outcomes as readonly string[]).includes(value))
  const before = textOf(search['before'])
  return { filter: { text: '', tokens: lastOfEach(tokens) }, from: timeOf(search['from']), to: timeOf(search['to']), before: before !== undefined && uuid.test(before) ? before : undefined }
}

/** The log is asked for one value of each key: what was chosen last stands. */
export function lastOfEach(tokens: FilterState['tokens']): FilterState['tokens'] {
  return tokens.filter(({ key }, i) => !tokens.slice(i + 1).some((later) => later.key === key))
}

export const isId = (text: string) => uuid.test(text)

/** An instant as a field for a date and a time takes it, to the second, in the zone that is shown. */
export function toField(at: string, zone: Zone): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return ''
  const local = zone === 'utc' ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19)
}

/** What was picked, as the instant that is sent; undefined when it is none. */
export function fromField(text: string, zone: Zone): string | undefined {
  const whole = /T\d\d:\d\d$/.test(text) ? `${text}:00` : text
  const date = new Date(zone === 'utc' ? `${whole}Z` : whole)
  return text === '' || Number.isNaN(date.getTime()) ? undefined : `${date.toISOString().slice(0, 19)}Z`
}

const isState = (word: string): word is StateOf<'audit_log'> => Object.hasOwn(states.audit_log, word)

/** The word for the log's state: a check that could not be made has not checked it. */
export function logState(found: Verification | undefined): StateOf<'audit_log'> {
  // Only words of the list are said, whatever a newer or older server calls it.
  return found !== undefined && isState(found.state) ? found.state : 'unchecked'
}

/** What an event was about, in words: "account app_rw". */
export function objectOf(event: AuditEvent): string {
  return [event.kind, event.object || (event.objectId ?? '').slice(-6)].filter(Boolean).join(' ')
}

/** Where the object has a page that is found by its id. */
export function pageOfObject(event: AuditEvent): string | undefined {
  if (event.run) return `/runs/${encodeURIComponent(event.run)}`
  if (event.kind === 'cluster' && event.objectId) return `/clusters/${encodeURIComponent(event.objectId)}`
  if (event.kind === 'resource' && event.objectId) return `/resources/${encodeURIComponent(event.objectId)}`
  return undefined
}
