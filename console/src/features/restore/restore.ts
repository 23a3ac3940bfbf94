import { useQuery } from '@tanstack/react-query'
import { health } from '../../api/session'
import { keys } from '../../api/keys'
import { states, type StateOf } from '../../api/states'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { count } from '../../ui/format'

export type Restore = Schemas['Restore']
export type Restored = Schemas['RestoredAccount']

/** Whether the repository is one of an old backup. Everybody may know that; undefined until it is known. */
export function useIsRestored(): boolean | undefined {
  return useQuery({ queryKey: keys.list('restore', { as: 'health' }), queryFn: ({ signal }) => health(signal) }).data?.restored
}

/** What is known of each account since. */
export function useRestore(enabled: boolean) {
  const api = useApi()
  return useQuery({
    queryKey: keys.list('restore'),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/restore', { signal })),
    enabled,
  })
}

/** The state word of an account; undefined for one that this console does not know. */
export function restoredState({ state }: Pick<Restored, 'state'>): StateOf<'restored'> | undefined {
  return Object.hasOwn(states.restored, state) ? state : undefined
}

/** Whether it is known which value of an account is right. */
export const isSettled = ({ state }: Pick<Restored, 'state'>) => state === 'verified' || state === 'adopted' || state === 'agrees'

/** The accounts that a person has to decide about. */
export const unsettled = (restore: Restore) => (restore.accounts ?? []).filter((account) => !isSettled(account))

/** How far the accounts are, in one sentence. */
export function restoreAnswer(restore: Restore): string {
  if (restore.state !== 'restored') return 'The repository is as far as it ever was.'
  const all = restore.accounts?.length ?? 0
  const left = restore.counts['to_check'] ?? 0
  const open = unsettled(restore).length - left
  if (left > 0) return `${count(all - left)} of ${count(all)} accounts were checked; nothing is changed anywhere meanwhile.`
  if (open > 0) return `All accounts were checked; of ${count(open)} it is not known which value is right. Nothing is changed anywhere meanwhile.`
  return 'Of all accounts it is known which value is right. Nothing is changed anywhere until the restore is ended.'
}

/** Where the account's page is: its name comes after the last slash, since a namespace's resource has one of its own. */
export function placeOf({ name }: Pick<Restored, 'name'>) {
  const cut = name.lastIndexOf('/')
  return { resourceName: name.slice(0, cut), accountName: name.slice(cut + 1) }
}
