import { keys } from '../../api/keys'
import { type StateObject, type StateOf, states } from '../../api/states'
import { type Api, bodyOf, type Schemas, useApi } from '../../app/api'
import type { ListPage } from '../../app/list'
import { type Named, useNamed, useRead } from './named'

export type Resource = Schemas['Resource']

/** A resource that a fetch made from a namespace: its accounts are Secrets, and it is changed by the cluster's page. */
export const kubernetes = 'kubernetes'

/** A page of the wire as lists take it. */
export function pageOf<Row>(page: { items?: Row[] | null; total: number; counts?: Record<string, number> }): ListPage<Row> {
  return { items: page.items ?? [], total: page.total, counts: page.counts }
}

/** The resource that an address names. */
export function useResource(name: string): Named<Resource> {
  const api = useApi()
  const get = async (resource: string, signal: AbortSignal) =>
    bodyOf(await api.GET('/api/v1/resources/{resource}', { params: { path: { resource } }, signal }))
  return useNamed<Resource>({ kind: 'resource', name: { name }, find: (signal) => get(name, signal), read: get })
}

/** The types of system that accounts can be on. They are the server's and do not change while it runs. */
export async function readTypes(api: Api, signal: AbortSignal): Promise<Schemas['Type'][]> {
  return bodyOf(await api.GET('/api/v1/types', { signal })).items ?? []
}

/** The type of a resource; undefined until it is known, and for one that this server does not have. */
export function useType(name: string, enabled = true): Schemas['Type'] | undefined {
  const api = useApi()
  return useRead([...keys.lists('resource'), 'types'], (signal) => readTypes(api, signal), enabled).data?.find(({ type }) => type === name)
}

const tones = ['danger', 'warn', 'unverified', 'progress', 'ok', 'neutral']

/** The states that there are any of, worst first. A word that this console does not know is left out. */
export function worstFirst<O extends StateObject>(object: O, counts: Readonly<Record<string, number>> | undefined): [StateOf<O>, number][] {
  const words = Object.keys(states[object]) as StateOf<O>[]
  const rank = (word: StateOf<O>) => tones.indexOf((states[object][word] as { tone: string }).tone)
  return words
    .map((word): [StateOf<O>, number] => [word, counts?.[word] ?? 0])
    .filter(([, n]) => n > 0)
    .sort(([a], [b]) => rank(a) - rank(b))
}

/** The state word if this console knows it. */
export function known<O extends StateObject>(object: O, state: string): StateOf<O> | undefined {
  return state in states[object] ? (state as StateOf<O>) : undefined
}

/** All that are there; deleted ones are listed only when they are asked for. */
export function allOf(counts: Readonly<Record<string, number>>): number {
  return Object.entries(counts).reduce((sum, [state, n]) => sum + (state === 'tombstone' ? 0 : n), 0)
}
