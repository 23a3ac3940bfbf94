import { useQueryClient } from '@tanstack/react-query'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { type Schemas, useApi } from '../../app/api'
import type { Account } from './account'

/** Changes an account as it was read; when somebody was faster it is read again and nothing is overwritten. */
export function useChange(account: Account) {
  const api = useApi()
  const client = useQueryClient()
  return async (body: Schemas['AccountChange'], rev = account.rev) => {
    try {
      const { data } = await api.PATCH('/api/v1/accounts/{account}', { params: { path: { account: account.id }, header: ifMatch(`"${rev}"`) }, body })
      client.setQueryData(keys.one('account', account.id), data)
      void client.invalidateQueries({ queryKey: keys.lists('account') })
      void client.invalidateQueries({ queryKey: [...keys.one('account', account.id), 'versions'] })
    } catch (error) {
      if (changedMeanwhile(error)) void client.invalidateQueries({ queryKey: keys.one('account', account.id) })
      throw error
    }
  }
}
