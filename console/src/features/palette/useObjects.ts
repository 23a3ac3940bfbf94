import { keepPreviousData, useQueries } from '@tanstack/react-query'
import { keys, type Kind } from '../../api/keys'
import { bodyOf, useApi, useWho } from '../../app/api'
import { usePolicies } from '../policies/policy'
import { accountPlace, resourcePlace, secretPlace } from '../resources/PlaceLink'
import type { Jump, JumpGroup } from './palette'

const most = 8

/** The objects whose name holds `q`, at most eight of a kind, as the server finds them. None for an empty text. */
export function useObjects(q: string): { groups: JumpGroup[]; loading: boolean } {
  const api = useApi()
  const { can } = useWho()
  const query = { q, limit: most }
  const search = (kind: Kind, operation: string, read: (signal: AbortSignal) => Promise<Jump[]>) => ({
    queryKey: [...keys.list(kind, { q }), 'jump'] as unknown[],
    queryFn: ({ signal }: { signal: AbortSignal }) => read(signal),
    enabled: q !== '' && (can[operation]?.allowed ?? false),
    placeholderData: keepPreviousData,
    retry: false,
  })
  const answers = useQueries({
    queries: [
      search('cluster', 'cluster.list', async (signal) =>
        (bodyOf(await api.GET('/api/v1/clusters', { params: { query }, signal })).items ?? []).map(({ name }) => ({ id: `cluster ${name}`, label: name, place: { to: '/clusters/$cluster', params: { cluster: name } } }))),
      search('account', 'account.list', async (signal) =>
        (bodyOf(await api.GET('/api/v1/accounts', { params: { query }, signal })).items ?? []).map((a) => ({ id: `account ${a.id}`, label: a.name, hint: a.resourceName, place: accountPlace({ resourceName: a.resourceName, accountName: a.name }) }))),
      search('resource', 'resource.list', async (signal) =>
        (bodyOf(await api.GET('/api/v1/resources', { params: { query }, signal })).items ?? []).map(({ id, name, type }) => ({ id: `resource ${id}`, label: name, hint: type, place: resourcePlace(name) }))),
      search('secret', 'account.list', async (signal) =>
        (bodyOf(await api.GET('/api/v1/secrets', { params: { query }, signal })).items ?? []).map((s) => ({ id: `secret ${s.id}`, label: `${s.namespace}/${s.name}`, hint: s.clusterName, place: secretPlace(s) }))),
    ],
  })
  // Every policy comes in one answer, so that the search is here.
  const policies = usePolicies(q !== '' && (can['policy.list']?.allowed ?? false))
  const named = (policies.data ?? []).filter(({ name }) => name.toLowerCase().includes(q.toLowerCase())).slice(0, most)
  const labels = ['Clusters', 'Accounts', 'Resources', 'Secrets']
  return {
    groups: q === '' ? [] : [
      ...answers.map(({ data }, i) => ({ label: labels[i] ?? '', jumps: data ?? [] })),
      { label: 'Policies', jumps: named.map(({ id, name }) => ({ id: `policy ${id}`, label: name, place: { to: '/policies/$policy', params: { policy: name } } })) },
    ],
    loading: answers.some(({ isFetching }) => isFetching),
  }
}
