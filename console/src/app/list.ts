import { keepPreviousData, useQueries, useQuery, useQueryClient, usePrefetchQuery } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'
import { type Filter, type Kind, keys } from '../api/keys'
import { asProblem, type Problem } from '../api/problem'

export interface ListPage<Row> {
  items: readonly Row[]
  /** What matches on all pages. */
  total: number
  /** By state, with every filter applied but that on the state. */
  counts?: Record<string, number>
}

export interface ListConfig<Row> {
  kind: Kind
  /** Filter and sort; none may hold a value. */
  filter: Filter
  /** Reads one page. Rejects with a Problem. */
  load: (offset: number, limit: number, signal: AbortSignal) => Promise<ListPage<Row>>
  /** Rows a page, 200 if not given; the server gives 500 at most. */
  pageSize?: number
}

/** A list and its first page. Its rows are read with `useRows`, or drawn by a `ListGrid`. */
export interface List<Row> {
  /** How many rows match on the server; undefined until it is known. */
  total: number | undefined
  counts: Record<string, number>
  /** Changes with filter and sort. */
  resetKey: string
  /** A new filter is loading; what stands is of the old one. */
  loading: boolean
  problem: Problem | undefined
  onRetry: () => void
  first: readonly Row[]
  queryOf: (page: number) => { queryKey: readonly unknown[]; queryFn: (context: { signal: AbortSignal }) => Promise<ListPage<Row>> }
  pageSize: number
}

export interface Rows<Row> {
  /** The row at an absolute index, or undefined while it is not here yet. */
  rowAt: (index: number) => Row | undefined
  /** Says which rows are on the screen, so that they are read. */
  onRange: (offset: number, limit: number) => void
  problem: Problem | undefined
}

const pageKeptMs = 30_000
const none = {}

/** The pages that cover a range of rows. */
export function pagesOf(offset: number, limit: number, pageSize: number): number[] {
  const first = Math.floor(offset / pageSize)
  const last = Math.floor((offset + Math.max(1, limit) - 1) / pageSize)
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

/**
 * A list that the server filters, sorts and counts. While a new filter loads,
 * the old first page stays.
 */
export function useList<Row>({ kind, filter, load, pageSize = 200 }: ListConfig<Row>): List<Row> {
  const client = useQueryClient()
  const base = keys.list(kind, filter)
  const resetKey = JSON.stringify(base)
  const queryOf: List<Row>['queryOf'] = (page) => ({ queryKey: [...base, page], queryFn: ({ signal }) => load(page * pageSize, pageSize, signal) })
  // Asked for before the page is drawn, not after: drawing one for the first time takes as long as the answer.
  usePrefetchQuery(queryOf(0))
  const first = useQuery({ ...queryOf(0), placeholderData: keepPreviousData })
  const onRetry = useCallback(() => void client.refetchQueries({ queryKey: JSON.parse(resetKey) as unknown[] }), [client, resetKey])
  const problem = useMemo(() => (first.error ? asProblem(first.error) : undefined), [first.error])
  return {
    total: first.data?.total, counts: first.data?.counts ?? none, resetKey, loading: first.isPlaceholderData, problem, onRetry,
    first: first.data?.items ?? [], queryOf, pageSize,
  }
}

/**
 * The rows of a list, read a page at a time as they come on the screen. The
 * first page stays; others are forgotten half a minute after they left. What
 * calls this is drawn again with each page: let it hold the rows and no more.
 */
export function useRows<Row>({ resetKey, pageSize, first, queryOf, problem }: List<Row>): Rows<Row> {
  const [shown, setShown] = useState({ resetKey, pages: [0] })
  const pages = shown.resetKey === resetKey ? shown.pages.filter((page) => page > 0) : []
  const others = useQueries({ queries: pages.map((page) => ({ ...queryOf(page), gcTime: pageKeptMs })) })
  const onRange = useCallback(
    (offset: number, limit: number) => {
      const next = pagesOf(offset, limit, pageSize)
      setShown((before) => (before.resetKey === resetKey && before.pages.join() === next.join() ? before : { resetKey, pages: next }))
    },
    [resetKey, pageSize],
  )
  const rowAt = (index: number): Row | undefined => {
    const page = Math.floor(index / pageSize)
    return (page === 0 ? first : others[pages.indexOf(page)]?.data?.items)?.[index % pageSize]
  }
  const error = others.find((other) => other.error)?.error
  const later = useMemo(() => (error ? asProblem(error) : undefined), [error])
  return { rowAt, onRange, problem: problem ?? later }
}
