import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { keys } from '../../api/keys'
import { useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import { textOf, useAddress } from '../resources/address'
import { type Assignment, assignmentParts, type Policy } from './policy'
import classes from './policies.module.css'

// Loaded when it is first asked for.
const AssignPolicy = lazy(() => import('./AssignPolicy').then((m) => ({ default: m.AssignPolicy })))

/** What a policy is for; of two that name an account the more specific one wins. */
export function Assignments({ policy }: { policy: Policy }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const { search, change } = useAddress()
  const [leaving, setLeaving] = useState<Assignment>()
  const assignments = policy.assignments ?? []
  const may = policy.can?.['assign']
  const read = () => {
    void client.invalidateQueries({ queryKey: keys.one('policy', policy.id) })
    void client.invalidateQueries({ queryKey: keys.lists('policy') })
    void client.invalidateQueries({ queryKey: keys.lists('account') })
  }
  const unassign = async ({ id }: Assignment) => {
    await api.DELETE('/api/v1/policies/{policy}/assignments/{assignment}', { params: { path: { policy: policy.id, assignment: id } } })
    say('The assignment was taken away.')
    read()
  }
  return (
    <>
      <div className={classes.bar}>
        <h2 id="policy-for">What it is for</h2>
        <Offer may={may} onClick={() => change({ dialog: 'assign' }, { push: true })}>Assign…</Offer>
      </div>
      {assignments.length === 0
        ? <p className={classes.quiet}>{policy.builtIn ? 'Every account that no other policy is for.' : 'It is assigned to nothing that you may see, so it is for no account.'}</p>
        : (
          <ul className={classes.list} aria-label="Assignments">
            {assignments.map((one) => {
              const { words, name } = assignmentParts(one)
              return (
                <li key={one.id}>
                  <span className={classes.sentence}>{words} <b><bdi>{name}</bdi></b></span>
                  <Offer may={may} size="compact-sm" label={`Take away: ${words} ${name}`} onClick={() => setLeaving(one)}>Take away</Offer>
                </li>
              )
            })}
          </ul>
        )}
      <Suspense>{textOf(search['dialog']) === 'assign' && <AssignPolicy policy={policy} onClose={() => change({ dialog: '' })} onDone={read} />}</Suspense>
      <Confirm
        opened={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        level={2}
        verb="Take away"
        object="the assignment"
        consequences={leaving === undefined ? [] : [`${policy.name} is no longer for: ${assignmentParts(leaving).words.toLowerCase()} ${assignmentParts(leaving).name}.`, 'What it was for follows the next policy that is for it, from now on. Nothing is changed at once.']}
        onConfirm={() => (leaving === undefined ? Promise.resolve() : unassign(leaving))}
      />
    </>
  )
}
