import type { Search } from '../app/search'

export interface FilterToken {
  key: string
  value: string
}

/** A filter as the caller keeps it in the URL: tokens, and a part of a name. */
export interface FilterState {
  tokens: readonly FilterToken[]
  text: string
}

export interface FilterField {
  /** As in the URL and in a token: "state". */
  key: string
  /** What it filters by: "State". */
  label: string
  /** The values to offer. Without them any name is taken. */
  values?: readonly { value: string; count?: number }[]
}

export const noFilter: FilterState = { tokens: [], text: '' }

/** What typed text means. A refused text must be neither sent nor put into a URL. */
export type Typed = { kind: 'token'; token: FilterToken } | { kind: 'text'; text: string } | { kind: 'refused'; why: string }

export const valueRefusal =
  'This looks like a value. Leak check searches by value, in a request body, and stores nothing.'
const longest = 253 // the longest name of Kubernetes
const nameText = /^[\p{L}\p{N}*?][\p{L}\p{N}*?._/@:-]*$/u
const tokenText = /^[<>]?=?[\p{L}\p{N}*?.-][\p{L}\p{N}*?._/@:+-]*$/u

/** Whether one run of letters and digits is as mixed as only a generated value is. */
function mixed(text: string): boolean {
  return text.length >= 12 && /\p{Ll}/u.test(text) && /\p{Lu}/u.test(text) && /\p{N}/u.test(text)
}

/** Whether text could be a password, a key or an address with one in it: it is no name, or has a long mixed run. */
export function looksLikeValue(text: string, grammar: RegExp = nameText): boolean {
  return text.length > longest || !grammar.test(text) || text.includes('//') || text.split(/[._/@:*?-]/).some(mixed)
}

/** Reads what was typed: `key:value` of a known field, else a part of a name. */
export function readTyped(typed: string, fields: readonly FilterField[]): Typed {
  const text = typed.trim()
  if (text === '') return { kind: 'text', text: '' }
  const colon = text.indexOf(':')
  const field = fields.find(({ key }) => key === text.slice(0, colon))
  if (field) {
    const value = text.slice(colon + 1)
    if (value === '') return { kind: 'refused', why: `Type a value for ${field.label.toLowerCase()}, such as ${field.key}:${field.values?.[0]?.value ?? 'name*'}.` }
    if (looksLikeValue(value, tokenText)) return { kind: 'refused', why: valueRefusal }
    return { kind: 'token', token: { key: field.key, value } }
  }
  if (looksLikeValue(text)) return { kind: 'refused', why: valueRefusal }
  return { kind: 'text', text }
}

const same = (a: FilterToken, b: FilterToken) => a.key === b.key && a.value === b.value

/** The tokens with one more; a token stands once. */
export function withToken(tokens: readonly FilterToken[], token: FilterToken): readonly FilterToken[] {
  return tokens.some((known) => same(known, token)) ? tokens : [...tokens, token]
}

export function withoutToken(tokens: readonly FilterToken[], token: FilterToken): readonly FilterToken[] {
  return tokens.filter((known) => !same(known, token))
}

/** The filter as search parameters: the free text is `q`, several values of a key are "or". */
export function filterToSearch({ tokens, text }: FilterState): Search {
  const search: Search = {}
  for (const { key, value } of tokens) {
    const known = search[key]
    search[key] = known === undefined ? value : [known, value].flat()
  }
  if (text !== '') search['q'] = text
  return search
}

/** The filter that a URL holds. What is unknown or looks like a value is dropped. */
export function filterFromSearch(search: Readonly<Record<string, unknown>>, fields: readonly FilterField[]): FilterState {
  const strings = (value: unknown) => [value].flat().filter((v) => typeof v === 'string' && v !== '') as string[]
  const tokens = fields.flatMap(({ key }) =>
    strings(search[key]).filter((value) => !looksLikeValue(value, tokenText)).map((value) => ({ key, value })),
  )
  const [text = ''] = strings(search['q'])
  return { tokens: tokens.reduce(withToken, [] as readonly FilterToken[]), text: looksLikeValue(text) ? '' : text }
}

/** The filter as a person would type it. */
export function filterText({ tokens, text }: FilterState): string {
  return [...tokens.map(({ key, value }) => `${key}:${value}`), text].filter(Boolean).join(' ')
}

/** What to offer for the text in the field: values of its key, else keys that begin so. */
export function suggestions(typed: string, fields: readonly FilterField[], tokens: readonly FilterToken[]): { text: string; label: string; count?: number }[] {
  const colon = typed.indexOf(':')
  const field = colon < 0 ? undefined : fields.find(({ key }) => key === typed.slice(0, colon))
  if (field) {
    const part = typed.slice(colon + 1).toLowerCase()
    return (field.values ?? [])
      .filter(({ value }) => value.toLowerCase().includes(part) && !tokens.some((token) => same(token, { key: field.key, value })))
      .slice(0, 12)
      .map(({ value, count }) => ({ text: `${field.key}:${value}`, label: value, count }))
  }
  const part = typed.toLowerCase()
  return fields.filter(({ key, label }) => key.startsWith(part) || label.toLowerCase().startsWith(part)).map(({ key, label }) => ({ text: `${key}:`, label }))
}
