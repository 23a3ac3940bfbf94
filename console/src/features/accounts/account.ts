import { keys } from '../../api/keys'
import { type Api, bodyOf, type Schemas, useApi } from '../../app/api'
import { count, sentence } from '../../ui/format'
import { gone, type Named, useNamed, useRead } from '../resources/named'
import { worstFirst } from '../resources/resource'

export type Account = Schemas['Account']
export type Mapping = Schemas['Mapping']
export type Version = Schemas['Version']

/** The account that an address names. */
export function useAccount(resource: string, name: string): Named<Account> {
  const api = useApi()
  return useNamed<Account>({
    kind: 'account',
    name: { resource, name },
    find: async (signal) => {
      const page = bodyOf(await api.GET('/api/v1/accounts', { params: { query: { resource, name, limit: 1 } }, signal }))
      const [found] = page.items ?? []
      if (!found) throw gone('account')
      return found
    },
    read: async (account, signal) => bodyOf(await api.GET('/api/v1/accounts/{account}', { params: { path: { account } }, signal })),
  })
}

export const versionsKey = (id: string) => [...keys.one('account', id), 'versions'] as const

export async function readVersions(api: Api, account: string, signal: AbortSignal): Promise<Version[]> {
  return bodyOf(await api.GET('/api/v1/accounts/{account}/versions', { params: { path: { account } }, signal })).items ?? []
}

/** The versions of an account or of a Secret, newest first. */
export function useVersions(id: string): Named<Version[]> {
  const api = useApi()
  return useRead(versionsKey(id), (signal) => readVersions(api, id, signal))
}

/** What stands above an account's pages. */
export function crumbs(resource: string, account?: string) {
  const path = `/resources/${encodeURIComponent(resource)}`
  const above = [{ label: 'Resources', to: '/resources' }, { label: resource, to: path }]
  return account === undefined ? above : [...above, { label: account, to: `${path}/accounts/${encodeURIComponent(account)}` }]
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, n) => sum + n, 0)

/** Where the current version stands: "It stands in 36 of 37 keys." */
function standing(current: number, mappings: Readonly<Record<string, number>>): string {
  const all = total(mappings)
  if (all === 0) return 'No Secret key is mapped to it.'
  const good = mappings['in_sync'] ?? 0
  const noun = all === 1 ? 'key' : 'keys'
  if (current === 0) return `${count(all)} mapped ${noun}.`
  if (good === all) return all === 1 ? 'It stands in its one mapped key.' : `It stands in all ${count(all)} mapped keys.`
  const rest = worstFirst('key', mappings).filter(([word]) => word !== 'in_sync').map(([word, n]) => `${count(n)} ${word.replaceAll('_', ' ')}`)
  return `It stands in ${count(good)} of ${count(all)} mapped ${noun}: ${rest.join(', ')}.`
}

/** What is true of an account, in one sentence or two. It says no more than the server stored with its proof. */
export function truth({ state, reason, current, mappings = {} }: Account): string {
  if (current === 0) return `No value is stored yet: map a key that holds it, store it, or reset the password. ${standing(0, mappings)}`
  const why = reason ? ` ${sentence(reason)}` : ''
  const says: Record<string, string> = {
    verified: `v${current} logs in.`,
    unverified: `v${current} is stored; whether it logs in is not proved.${why}`,
    out_of_sync: `The system refuses v${current}.${why}`,
    locked_out: `No known value logs in.${why}`,
  }
  return `${says[state] ?? `v${current} is stored.${why}`} ${standing(current, mappings)}`
}

const rank = ['conflict', 'blocked', 'drift', 'behind', 'syncing', 'hands_off', 'tombstone', 'in_sync']

/** Mappings with what needs a person first; equal ones by cluster and path. */
export function worstMappings(mappings: readonly Mapping[]): Mapping[] {
  const of = ({ state }: Mapping) => rank.indexOf(state)
  const path = (m: Mapping) => `${m.clusterName}/${m.namespace}/${m.secret}/${m.key}`
  return [...mappings].sort((a, b) => of(a) - of(b) || path(a).localeCompare(path(b)))
}

/** Where a version came from, as a word for people. */
export function sourceWord(source: Version['source']): string {
  return source === 'restored' ? 'set again' : source === 'written' ? 'stored' : source
}
