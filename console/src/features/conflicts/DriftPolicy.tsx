import { Group, Select } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { type Schemas, useApi } from '../../app/api'
import { Offer, type Permission } from '../../ui/Offer'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import parts from '../resources/parts.module.css'
import { driftPolicies, driftWord } from './conflict'
import classes from './conflicts.module.css'

type Drift = Schemas['Drift']

/** What a drift policy can be set for, and whose word holds where nothing is. A cluster has no one above it. */
const above = { cluster: undefined, resource: 'its cluster', secret: 'its namespace' } as const

export interface DriftPolicyProps {
  of: keyof typeof above
  object: { id: string; name: string; rev: number; onDrift?: Drift }
  may: Permission | undefined
}

const inherit = 'inherit'
const wordOf = ({ own }: Drift) => (own === '' ? inherit : own)

/** Which side is right when a key changes in the cluster: what holds for an object, from where, and changing it. */
export function DriftPolicy({ of, object, may }: DriftPolicyProps) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  // What is chosen, and the revision that it was chosen on: a save on a newer one is refused.
  const [draft, setDraft] = useState<{ policy: string; rev: number }>()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const drift = object.onDrift
  if (drift === undefined) return null
  const now = wordOf(drift)
  const chosen = draft?.policy ?? now
  const parent = above[of]
  const save = async () => {
    if (draft === undefined) return
    setBusy(true)
    setProblem(undefined)
    const header = ifMatch(`"${draft.rev}"`)
    const body = { policy: (draft.policy === inherit ? '' : draft.policy) as Drift['own'] }
    try {
      if (of === 'cluster') await api.PUT('/api/v1/clusters/{cluster}/on-drift', { params: { path: { cluster: object.id }, header }, body })
      else if (of === 'resource') await api.PUT('/api/v1/resources/{resource}/on-drift', { params: { path: { resource: object.id }, header }, body })
      else await api.PUT('/api/v1/secrets/{secret}/on-drift', { params: { path: { secret: object.id }, header }, body })
      await client.invalidateQueries({ queryKey: keys.one(of, object.id) })
      setDraft(undefined)
      say('Saved')
    } catch (error) {
      setProblem(asProblem(error))
      if (changedMeanwhile(error)) {
        await client.invalidateQueries({ queryKey: keys.one(of, object.id) })
        setDraft(undefined) // what is stored now is shown; it is chosen anew
      }
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: keys.lists('conflict') })
    }
  }
  return (
    <section className={classes.policy} aria-label="When a key changes in the cluster">
      <div className={parts.section}><h2>When a key changes in the cluster</h2></div>
      {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
      <p className={parts.note}>
        Now: {driftWord(drift.inForce)}{drift.own === '' ? `, as ${parent ?? 'it was'} says` : ''}. {driftPolicies.find(({ policy }) => policy === drift.inForce)?.meaning}
      </p>
      <Group gap="sm" align="flex-end">
        <Select
          label="Drift policy"
          maw={360}
          flex={1}
          data={[...(parent ? [{ value: inherit, label: `as ${parent} says` }] : []), ...driftPolicies.map(({ policy, word }) => ({ value: policy, label: word }))]}
          value={chosen}
          onChange={(policy) => policy !== null && setDraft(policy === now ? undefined : { policy, rev: draft?.rev ?? object.rev })}
          allowDeselect={false}
          readOnly={!may?.allowed}
        />
        <Offer may={may} disabled={draft === undefined} loading={busy} onClick={() => void save()} label={`Save the drift policy of ${object.name}`}>Save</Offer>
      </Group>
      {draft !== undefined && <p role="status" className={parts.note}>{driftPolicies.find(({ policy }) => policy === draft.policy)?.meaning ?? `What ${parent} says will hold here.`}</p>}
    </section>
  )
}
