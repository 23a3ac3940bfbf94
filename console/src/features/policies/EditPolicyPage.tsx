import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useRef } from 'react'
import { ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { useApi } from '../../app/api'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { useToast } from '../../ui/say'
import { Loaded } from '../resources/Waiting'
import { changeOf, draftOf } from './draft'
import { followersText, type Policy, policyCrumbs, policyPath, readPolicy, usePolicy } from './policy'
import { PolicyForm } from './PolicyForm'

/** Changes a policy. What was not begun yet follows it at once. */
export function EditPolicyPage() {
  const { policy: name = '' } = useParams({ strict: false }) as { policy?: string }
  const policy = usePolicy(name)
  return (
    <>
      <PageHead title={`Edit ${name}`} above={[...policyCrumbs, { label: name, to: policyPath(name) }]}>
        {policy.data ? `${followersText(policy.data)} A change applies at once to everything that has not begun.` : '\u00a0'}
      </PageHead>
      <Loaded of={policy} lines={8}>
        {(data) => (data.can?.['update']?.allowed ? <Edit key={data.id} policy={data} /> : <Offer may={data.can?.['update']}>Edit {data.name}</Offer>)}
      </Loaded>
    </>
  )
}

function Edit({ policy }: { policy: Policy }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  // The revision that the form began with: a newer one that an event brings is not taken silently.
  const rev = useRef(policy.rev)
  return (
    <PolicyForm
      start={draftOf(policy)}
      action={`Save ${policy.name}`}
      fixedName={policy.builtIn}
      onRead={async () => {
        const now = await readPolicy(api, policy.id)
        rev.current = now.rev
        return draftOf(now)
      }}
      onSave={async (draft, base) => {
        const body = changeOf(base, draft)
        const name = draft.name.trim()
        if (body !== undefined) {
          const { data } = await api.PATCH('/api/v1/policies/{policy}', { params: { path: { policy: policy.id }, header: ifMatch(`"${rev.current}"`) }, body })
          client.setQueryData(keys.one('policy', policy.id), data)
          void client.invalidateQueries({ queryKey: keys.lists('policy') })
          void client.invalidateQueries({ queryKey: keys.lists('account') })
          say(`${name} was changed.`)
        }
        await navigate({ to: policyPath(name) as never })
      }}
      cancel={<Button variant="default" component={Link} to={policyPath(policy.name)}>Cancel</Button>}
    />
  )
}
