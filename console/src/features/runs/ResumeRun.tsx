import { useState } from 'react'
import { count } from '../../ui/format'
import { Confirm } from '../../ui/Confirm'
import { Offer } from '../../ui/Offer'
import { type Run, waveWaits } from './run'
import type { Rollout } from './rollouts'

const named = 5

/** What is done when a run with these is resumed, one line each. */
export function consequencesOf(rollouts: readonly Rollout[]): string[] {
  const asking = rollouts.filter(({ state }) => state === 'asks')
  const again = rollouts.filter(({ state }) => state === 'stuck' || state === 'held').length
  const lines = asking.slice(0, named).map(({ kind, namespace, name, cluster, old }) => {
    const pods = old === 0 ? 'no pod is left to replace' : old === 1 ? 'its 1 pod is replaced' : `its ${count(old)} pods are replaced`
    return `${kind} ${namespace}/${name} in ${cluster}: ${pods}.`
  })
  const more = asking.length - lines.length
  return [
    ...lines,
    ...(more > 0 ? [`And ${count(more)} more ${more === 1 ? 'workload' : 'workloads'}.`] : []),
    'Each replaces its pods by its own strategy, and is watched until none is left from before the write.',
    ...(again > 0 ? [`${count(again)} that ${again === 1 ? 'is stuck or held is' : 'are stuck or held are'} tried again.`] : []),
  ]
}

/**
 * Lets a run go on that waits or needs attention. Where workloads ask, it says that they are restarted, and asks once more.
 * `onResume` fails as the request did.
 */
export function ResumeRun({ run, busy, onResume, onFailed }: { run: Run; busy: boolean; onResume: () => Promise<void>; onFailed: (error: unknown) => void }) {
  const [asked, setAsked] = useState(false)
  const asking = (run.rollouts ?? []).filter(({ state }) => state === 'asks')
  const may = run.can?.['resume']
  if (asking.length === 0) return <Offer variant="filled" may={may} loading={busy} onClick={() => void onResume().catch(onFailed)}>{waveWaits(run) ? 'Begin the next wave' : 'Resume run'}</Offer>
  return (
    <>
      <Offer variant="filled" may={may} loading={busy} onClick={() => setAsked(true)}>{asking.length === 1 ? 'Restart it and go on' : 'Restart them and go on'}</Offer>
      <Confirm
        opened={asked}
        onClose={() => setAsked(false)}
        level={2}
        verb="Restart"
        object={`${count(asking.length)} ${asking.length === 1 ? 'workload' : 'workloads'}`}
        consequences={consequencesOf(run.rollouts ?? [])}
        onConfirm={onResume}
      />
    </>
  )
}
