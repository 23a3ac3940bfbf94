import { keepPreviousData, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
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

/** What a `Grid` needs of a list; hand it on with `{...list.grid}`. */
export interface List<Row> {
  grid: {
    total: number | undefined
    rowAt: (index: number) => Row | undefined
    onRange: (offset: number, limit: number) => void
    resetKey: string
    loading: boolean
    problem: Problem | undefined
    onRetry: () => void
  }
  counts: Record<string, number>
}

const pageKeptMs = 30_000

/** The pages that cover a range of rows. */
export function pagesOf(offset: number, limit: number, pageSize: number): number[] {
  const first = Math.floor(offset / pageSize)
  const last = Math.floor((offset + Math.max(1, limit) - 1) / pageSize)
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

/**
 * A list that the server filters, sorts and counts, read a page at a time as
 * the grid shows it. Its first page stays; others are forgotten half a minute
 * after they left the screen. While a new filter loads, the old first page stays.
 */
export function useList<Row>({ kind, filter, load, pageSize = 200 }: ListConfig<Row>): List<Row> {
  const client = useQueryClient()
  const base = keys.list(kind, filter)
  const resetKey = JSON.stringify(base)
  const [shown, setShown] = useState({ resetKey, pages: [0] })
  const queryFn = (page: number) => ({ signal }: { signal: AbortSignal }) => load(page * pageSize, pageSize, signal)
  const first = useQuery({ queryKey: [...base, 0], queryFn: queryFn(0), placeholderData: keepPreviousData })
  const pages = shown.resetKey === resetKey ? shown.pages.filter((page) => page > 0) : []
  const others = useQueries({
    queries: pages.map((page) => ({ queryKey: [...base, page], queryFn: queryFn(page), gcTime: pageKeptMs })),
  })
  const onRange = useCallback(
    (offset: number, limit: number) => {
      const next = pagesOf(offset, limit, pageSize)
      setShown((before) => (before.resetKey === resetKey && before.pages.join() === next.join() ? before : { resetKey, pages: next }))
    },
    [resetKey, pageSize],
  )
  const onRetry = useCallback(() => void client.refetchQueries({ queryKey: JSON.parse(resetKey) as unknown[] }), [client, resetKey])
  const rowAt = (index: number): Row | undefined => {
    const page = Math.floor(index / pageSize)
    const data = page === 0 ? first.data : others[pages.indexOf(page)]?.data
    return data?.items[index % pageSize]
  }
  const error = first.error ?? others.find((other) => other.error)?.error
  const problem = useMemo(() => (error ? asProblem(error) : undefined), [error])
  return {
    grid: { total: first.data?.total, rowAt, onRange, resetKey, loading: first.isPlaceholderData, problem, onRetry },
    counts: first.data?.counts ?? {},
  }
}
