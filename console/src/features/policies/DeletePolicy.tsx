import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { count } from '../../ui/format'
import { useToast } from '../../ui/say'
import type { Policy } from './policy'

/** Deletes a policy with its assignments, after its name was typed. */
export function DeletePolicy({ policy, onClose }: { policy: Policy; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const assignments = (policy.assignments ?? []).length
  const remove = async () => {
    await api.DELETE('/api/v1/policies/{policy}', { params: { path: { policy: policy.id }, header: ifMatch(`"${policy.rev}"`) } })
    say(`${policy.name} was deleted.`)
    await navigate({ to: '/policies' as never })
    client.removeQueries({ queryKey: keys.one('policy', policy.id) })
    void client.invalidateQueries({ queryKey: keys.lists('policy') })
    void client.invalidateQueries({ queryKey: keys.lists('account') })
  }
  return (
    <Confirm
      opened
      onClose={onClose}
      level={3}
      type={policy.name}
      verb="Delete"
      object={policy.name}
      consequences={[
        policy.accounts === 0 ? 'No account that you may see follows it.' : `${count(policy.accounts)} ${policy.accounts === 1 ? 'account follows' : 'accounts follow'} another policy then; which one, its page says.`,
        `${assignments === 1 ? 'Its 1 assignment is' : `Its ${count(assignments)} assignments are`} deleted too. It cannot be undone.`,
        'No value is changed.',
      ]}
      onConfirm={remove}
    />
  )
}
