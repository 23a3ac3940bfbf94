import { useQueries } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { type Kind, keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'

export type Overview = Schemas['Overview']

/** The kinds that it sums up; an event of any of them makes it old. */
const kinds: readonly Kind[] = ['cluster', 'account', 'mapping', 'run', 'secret']

/**
 * What needs a person, and counts, kept up to date by the events of every kind
 * that it sums up. Readings that are due at the same time are one call.
 */
export function useOverview(): { overview: Overview | undefined; problem: Problem | undefined; onRetry: () => void } {
  const api = useApi()
  const underWay = useRef<Promise<Overview>>(undefined)
  const read = () =>
    (underWay.current ??= api
      .GET('/api/v1/overview')
      .then(bodyOf<Overview>)
      .finally(() => (underWay.current = undefined)))
  const results = useQueries({ queries: kinds.map((kind) => ({ queryKey: keys.counts(kind, { on: 'overview' }), queryFn: read })) })
  const newest = results.map(({ data }) => data).filter((data) => data !== undefined).sort((a, b) => Date.parse(b.asOf) - Date.parse(a.asOf))[0]
  const error = results.find((result) => result.error)?.error
  const problem = useMemo(() => (error ? asProblem(error) : undefined), [error])
  return { overview: newest, problem, onRetry: () => results.forEach((result) => void result.refetch()) }
}
