import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { type Filter, type Kind, keys } from '../../api/keys'
import { asProblem, Problem } from '../../api/problem'

/** What a name led to. */
export interface Named<T> {
  data: T | undefined
  problem: Problem | undefined
  onRetry: () => void
}

export const gone = (what: string) =>
  new Problem({
    type: 'not-found',
    title: `There is no such ${what}`,
    status: 404,
    cause: 'It does not exist under this name, or you may not see it.',
    cure: 'Look for it in the list; it may have been renamed.',
  })

/** The problem of a query, if it has one. */
export function problemOfQuery({ error }: Pick<UseQueryResult, 'error'>): Problem | undefined {
  return error === null ? undefined : asProblem(error)
}

/**
 * The object that an address names. The name is looked up once; from then on
 * the object is kept under its id, by which events speak of it.
 */
export function useNamed<T extends { id: string }>(config: {
  kind: Kind
  name: Filter
  find: (signal: AbortSignal) => Promise<T>
  read: (id: string, signal: AbortSignal) => Promise<T>
}): Named<T> {
  const { kind, name, find, read } = config
  const found = useQuery({ queryKey: [...keys.lists(kind), 'named', name], queryFn: ({ signal }) => find(signal) })
  const id = found.data?.id
  const one = useQuery({
    queryKey: keys.one(kind, id ?? ''),
    queryFn: ({ signal }) => read(id ?? '', signal),
    enabled: id !== undefined,
    initialData: found.data,
  })
  const failed = one.error === null ? found : one
  // What was read stays on the screen while the server does not answer, but not when it says that it is gone.
  const problem = problemOfQuery(failed)
  const data = problem?.status === 404 || problem?.status === 403 ? undefined : (one.data ?? found.data)
  return { data, problem, onRetry: () => void failed.refetch() }
}

/** A query in the form that `Loaded` draws. */
export function useRead<T>(queryKey: readonly unknown[], read: (signal: AbortSignal) => Promise<T>, enabled = true): Named<T> {
  const query = useQuery({ queryKey, queryFn: ({ signal }) => read(signal), enabled })
  return { data: query.data, problem: problemOfQuery(query), onRetry: () => void query.refetch() }
}
