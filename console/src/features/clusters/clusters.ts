import { useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { type Filter, keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { type StateOf, states } from '../../api/states'
import { type Api, bodyOf, type Schemas, useApi } from '../../app/api'
import { count, sentence } from '../../ui/format'

export type Cluster = Schemas['Cluster']
export type Scope = Schemas['Scope']
export type Fetch = Schemas['Fetch']
type Permission = Schemas['Permission']

const unknown: Permission = { allowed: false, reason: 'The server does not say whether you may.' }

/** Whether the person may do something with an object, by its `can`; what it does not name is refused. */
export function may(object: { can?: Record<string, Permission> }, verb: string): Permission {
  return object.can?.[verb] ?? unknown
}

/** The state word of a cluster, or undefined for one that has none, such as a removed cluster. */
export function stateOf(cluster: Pick<Cluster, 'state'>): StateOf<'cluster'> | undefined {
  return Object.hasOwn(states.cluster, cluster.state) ? (cluster.state as StateOf<'cluster'>) : undefined
}

/** What a connector was given rights for, as a person says it. */
export function scopeText({ namespaces, access, restart, portForward, replace }: Scope): string {
  const names = namespaces ?? []
  const where = names.length === 0 ? 'the whole cluster' : names.length === 1 ? `namespace ${names[0]}` : `namespaces ${names.join(', ')}`
  return `${access} in ${where}, ${restart ? 'may restart workloads' : 'may not restart workloads'}${replace ? ', may replace immutable Secrets and tokens' : ''}${portForward ? ', may connect to ports of pods' : ''}`
}

/** Whether a fetch or sync goes on. */
export function underWay(fetch: Pick<Fetch, 'state'> | undefined): boolean {
  return fetch !== undefined && ['queued', 'running', 'waiting'].includes(fetch.state)
}

/** What a fetch did so far, without what it did none of: "12 added, 3 changed". */
export function fetchText(fetch: Fetch): string {
  const parts = (['added', 'changed', 'unchanged', 'gone', 'skipped'] as const).filter((word) => fetch[word] > 0).map((word) => `${count(fetch[word])} ${word}`)
  return parts.length === 0 ? 'nothing to do' : parts.join(', ')
}

/** The sentence under a cluster's name: whether it is connected with the rights that it needs, and if not why. */
export function truth(cluster: Cluster): string {
  if (cluster.state === 'removed') return 'The association was removed. Its resources and their values are kept; nothing is written to it.'
  if (cluster.state === 'connected') return `It answers, and the token has the rights it needs: ${scopeText(cluster.scope)}.`
  return `${sentence(cluster.reason ?? states.cluster[stateOf(cluster) ?? 'unreachable'].meaning)} ${cures[cluster.state] ?? ''}`.trimEnd()
}

const cures: Readonly<Record<string, string>> = {
  degraded: 'Test it on the Connection tab: the test shows the manifest that adds what is missing.',
  unreachable: 'Keyturn goes on trying; a test on the Connection tab says what fails and what to do.',
}

/** Lists clusters for `useList`. */
export function useLoadClusters(filter: Filter) {
  const api = useApi()
  return useCallback(
    async (offset: number, limit: number, signal: AbortSignal) => {
      const one = (key: string) => [filter[key]].flat()[0]
      const query = { q: one('q'), sort: one('sort'), state: filter['state'] === undefined ? undefined : [filter['state']].flat(), offset, limit }
      const page = bodyOf(await api.GET('/api/v1/clusters', { params: { query }, signal }))
      return { items: page.items ?? [], total: page.total, counts: page.counts }
    },
    [api, filter],
  )
}

const readCluster = async (api: Api, cluster: string, signal: AbortSignal) =>
  bodyOf(await api.GET('/api/v1/clusters/{cluster}', { params: { path: { cluster } }, signal }))

export interface Found {
  cluster: Cluster | undefined
  problem: Problem | undefined
  onRetry: () => void
}

/**
 * The cluster that the address names. Events name it by its id, so the name is
 * resolved once and the cluster then read by its id: a page stays with it when
 * it is renamed.
 */
export function useCluster(ref: string): Found {
  const api = useApi()
  const named = useQuery({ queryKey: keys.list('cluster', { name: ref }), queryFn: ({ signal }) => readCluster(api, ref, signal) })
  const id = named.data?.id
  const one = useQuery({
    queryKey: keys.one('cluster', id ?? ''),
    queryFn: ({ signal }) => readCluster(api, id ?? '', signal),
    enabled: id !== undefined,
    initialData: named.data,
    initialDataUpdatedAt: named.dataUpdatedAt,
  })
  const error = id === undefined ? named.error : one.error
  const problem = useMemo(() => (error ? asProblem(error) : undefined), [error])
  const { refetch: again } = named
  const { refetch } = one
  const onRetry = useCallback(() => void (id === undefined ? again() : refetch()), [id, again, refetch])
  return { cluster: id === undefined ? undefined : one.data, problem, onRetry }
}

/** The path of a cluster's page, or of one below it. */
export function pathOf(name: string, below = ''): string {
  return `/clusters/${encodeURIComponent(name)}${below && `/${below}`}`
}
