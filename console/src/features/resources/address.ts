import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import type { Search } from '../../app/search'
import { type FilterField, type FilterState, filterFromSearch, filterToSearch, type FilterToken } from '../../ui/filter'

/** One text of a search parameter; of a repeated one the first. */
export function textOf(value: unknown): string | undefined {
  const [first] = [value].flat()
  return typeof first === 'string' && first !== '' ? first : undefined
}

/** What the tokens ask for under a key, in the order in which they were added. */
export function wordsOf({ tokens }: FilterState, key: string): string[] {
  return tokens.filter((token) => token.key === key).map(({ value }) => value)
}

/** The last token of each key that the server takes only once; all of the others. */
export function lastOnly(filter: FilterState, once: readonly string[]): FilterState {
  const last = (token: FilterToken, i: number) => !filter.tokens.some((later, j) => j > i && later.key === token.key)
  return { ...filter, tokens: filter.tokens.filter((token, i) => !once.includes(token.key) || last(token, i)) }
}

/** The part of an address that makes this the filter; what else is in the address stays. */
export function filterPart(fields: readonly FilterField[], filter: FilterState): Search {
  const none = Object.fromEntries([...fields.map(({ key }) => key), 'q'].map((key) => [key, '']))
  return { ...none, ...filterToSearch(filter) }
}

export interface Address {
  search: Search
  /** Changes parameters of this page's address; an empty text takes one away. Without `push` Back does not lead here again. */
  change: (part: Search, options?: { push?: boolean }) => void
}

/** The parameters of this page's address. */
export function useAddress(): Address {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const change = useCallback<Address['change']>(
    (part, { push = false } = {}) => {
      const next = (before: Search) => Object.fromEntries(Object.entries({ ...before, ...part }).filter(([, value]) => value !== ''))
      void navigate({ to: '.', search: next as never, replace: !push, resetScroll: false })
    },
    [navigate],
  )
  return { search, change }
}

/** A page's filter, kept in its address; a key in `once` has one value at most. */
export function useFilter(fields: readonly FilterField[], once: readonly string[] = []) {
  const { search, change } = useAddress()
  const filter = filterFromSearch(search, fields)
  return { filter, setFilter: (next: FilterState) => change(filterPart(fields, lastOnly(next, once))) }
}
