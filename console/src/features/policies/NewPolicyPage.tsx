import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { useToast } from '../../ui/say'
import { newDraft, newPolicyOf } from './draft'
import { policyCrumbs, policyPath } from './policy'
import { PolicyForm } from './PolicyForm'

/** Makes a policy; it is for no account before it is assigned. */
export function NewPolicyPage() {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const may = useMay('policy.create')
  return (
    <>
      <PageHead title="New policy" above={policyCrumbs}>Says what values look like and when they are changed. It is for no account until it is assigned.</PageHead>
      {may.allowed ? (
        <PolicyForm
          start={newDraft}
          action="Make the policy"
          onSave={async (draft) => {
            const made = bodyOf(await api.POST('/api/v1/policies', { body: newPolicyOf(draft) }))
            void client.invalidateQueries({ queryKey: keys.lists('policy') })
            say(`${made.name} was made.`)
            await navigate({ to: policyPath(made.name) as never })
          }}
          cancel={<Button variant="default" component={Link} to="/policies">Cancel</Button>}
        />
      ) : <Offer may={may}>Make a policy</Offer>}
    </>
  )
}
