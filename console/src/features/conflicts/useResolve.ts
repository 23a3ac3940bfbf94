import { useQueryClient } from '@tanstack/react-query'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import type { Conflict, Side } from './conflict'

/** Says which side of a conflict is right, as it was read: when it is another by now it is read again, and nothing is decided. */
export function useResolve() {
  const api = useApi()
  const client = useQueryClient()
  return async (x: Pick<Conflict, 'id' | 'rev'>, keep: Side): Promise<Conflict> => {
    try {
      const after = bodyOf(await api.POST('/api/v1/conflicts/{secret}/resolve', { params: { path: { secret: x.id }, header: ifMatch(`"${x.rev}"`) }, body: { keep } }))
      client.setQueryData(keys.one('conflict', x.id), after)
      return after
    } catch (error) {
      if (changedMeanwhile(error)) void client.invalidateQueries({ queryKey: keys.one('conflict', x.id) })
      throw error
    } finally {
      void client.invalidateQueries({ queryKey: keys.one('secret', x.id) })
      void client.invalidateQueries({ queryKey: keys.lists('conflict') })
      void client.invalidateQueries({ queryKey: ['conflict', 'counts'] })
    }
  }
}
