import type { StateOf } from '../../api/states'
import { count } from '../../ui/format'
import type { Rollout } from './rollouts'
import { type Run, type RunWrite, waveWaits } from './run'

export interface Wave {
  number: number
  of: number
  /** The names of its clusters. */
  clusters: readonly string[]
  writes: readonly RunWrite[]
  proved: number
  state: StateOf<'step'>
  /** How far it is, in a clause: "2 of 2 keys proved, 1 of 1 workloads ready". */
  text: string
}

/** The waves of a run in their order, with the keys of each; none when all clusters go at once. */
export function wavesOf(run: Run): Wave[] {
  const { wave: at = 0, waves = 0, writes, rollouts } = run
  if (waves === 0) return []
  return Array.from({ length: waves }, (_, i): Wave => {
    const number = i + 1
    const own = (writes ?? []).filter((write) => (write.wave ?? 1) === number)
    const clusters = [...new Set(own.map(({ cluster }) => cluster))].sort()
    const proved = own.filter(({ state }) => state === 'in_sync').length
    const ids = new Set(own.map(({ clusterId }) => clusterId))
    const workloads = (rollouts ?? []).filter(({ clusterId }) => ids.has(clusterId))
    return { number, of: waves, clusters, writes: own, proved, state: stateOf(run, number, at), text: textOf(own.length, proved, workloads) }
  })
}

function stateOf(run: Run, number: number, at: number): StateOf<'step'> {
  if (number < at || run.state === 'done') return 'done'
  if (number > at || waveWaits(run)) return 'to_do'
  if (run.state === 'needs_attention') return 'failed'
  return run.state === 'running' || run.state === 'waiting' ? 'running' : 'to_do'
}

function textOf(all: number, proved: number, workloads: readonly Rollout[]): string {
  const keys = `${count(proved)} of ${count(all)} ${all === 1 ? 'key' : 'keys'} proved`
  if (workloads.length === 0) return keys
  const ready = workloads.filter(({ state }) => state === 'done' || state === 'skipped').length
  return `${keys}, ${count(ready)} of ${count(workloads.length)} ${workloads.length === 1 ? 'workload' : 'workloads'} done`
}
