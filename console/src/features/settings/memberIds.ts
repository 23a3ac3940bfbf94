import { useQuery } from '@tanstack/react-query'
import { bodyOf, useApi } from '../../app/api'
import { settingsKeys } from './keys'

/** The ids that the field of members sends as one text. */
export const idsOf = (text: string) => text.split(',').filter(Boolean)

/** Members have no order: two sets are compared as one text each. */
export const sorted = (ids: string) => idsOf(ids).sort().join(',')

/** Who can be a member. */
export function useUsers() {
  const api = useApi()
  return useQuery({ queryKey: settingsKeys.users, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/users', { signal })) })
}
