import { type StateOf, states } from '../../api/states'
import type { Schemas } from '../../app/api'
import { count, sentence } from '../../ui/format'

export type Rollout = Schemas['RunRollout']
type Run = Schemas['Run']

/** A state word of the server as one of the list; undefined for one that this console does not know. */
export function rolloutState(state: string): StateOf<'rollout'> | undefined {
  return state in states.rollout ? (state as StateOf<'rollout'>) : undefined
}

const isSettled = ({ state }: Pick<Rollout, 'state'>) => state === 'done' || state === 'skipped'

/** How many workloads there are, and of how many no pod is left that a run would have to see to. */
export function rolledOut({ rollouts }: Pick<Run, 'rollouts'>): { done: number; total: number } {
  const all = rollouts ?? []
  return { done: all.filter(isSettled).length, total: all.length }
}

/** "2 of 3 ready, 1 old left"; before anything was replaced only those that are left are of interest. */
export function podsText({ state, wanted, new: made, ready, old }: Pick<Rollout, 'state' | 'wanted' | 'new' | 'ready' | 'old'>): string {
  const left = old > 0 ? `${count(old)} old left` : ''
  if (wanted === 0 && old === 0) return 'no pods'
  if (left !== '' && made === 0 && state !== 'rolling') return left
  return [`${count(ready)} of ${count(wanted)} ready`, left].filter(Boolean).join(', ')
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

// What goes on keeps its place, so that nothing moves while it is read; only what waits for somebody comes first.
const rank: Partial<Record<string, number>> = { stuck: 0, asks: 1, held: 2 }
const inOrder = 3
const rankOf = ({ state }: Pick<Rollout, 'state'>) => rank[state] ?? (rolloutState(state) === undefined ? 0 : inOrder)

export interface RolloutGroup {
  clusterId: string
  cluster: string
  rollouts: readonly Rollout[]
  /** "4 of 6 done, 1 stuck". */
  text: string
  /** Some of it waits for a person or an answer. */
  waits: boolean
}

/** The workloads by cluster, and in each those first that wait for a person or an answer. */
export function groupRollouts(rollouts: readonly Rollout[]): RolloutGroup[] {
  const by = new Map<string, Rollout[]>()
  for (const rollout of rollouts) {
    const known = by.get(rollout.clusterId)
    if (known) known.push(rollout)
    else by.set(rollout.clusterId, [rollout])
  }
  const path = ({ namespace, name, kind, uid }: Rollout) => `${namespace}/${name}/${kind}/${uid}`
  const groups = [...by].map(([clusterId, all]) => {
    const sorted = [...all].sort((a, b) => rankOf(a) - rankOf(b) || order(path(a), path(b)))
    const worst = Math.min(...all.map(rankOf))
    return { clusterId, cluster: all[0]?.cluster ?? '', rollouts: sorted, text: tally(all), waits: worst < inOrder, worst }
  })
  return groups.sort((a, b) => a.worst - b.worst || order(a.cluster, b.cluster)).map(({ worst: _, ...group }) => group)
}

/** How many are done, and what the others do: "4 of 6 done, 1 stuck, 1 rolling". */
function tally(all: readonly Rollout[]): string {
  const open = (['stuck', 'asks', 'held', 'rolling', 'to_do'] as const)
    .map((state) => ({ word: states.rollout[state].word, n: all.filter((one) => one.state === state).length }))
    .filter(({ n }) => n > 0)
    .map(({ word, n }) => `${count(n)} ${word}`)
  return [`${count(all.filter(isSettled).length)} of ${count(all.length)} done`, ...open].join(', ')
}

const counted = (n: number, noun: string) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`

/** All of them in a sentence; that no pod is left is said only when it was proved of each. One cluster tells its own tally. */
export function consumersText(rollouts: readonly Rollout[]): string {
  const left = rollouts.reduce((sum, { old }) => sum + old, 0)
  const workloads = counted(rollouts.length, 'workload')
  if (rollouts.every(isSettled) && left === 0) return `${workloads}: no pod is left from before the write.`
  const pods = left === 0 ? 'no pod is left' : left === 1 ? '1 pod is left' : `${count(left)} pods are left`
  const clusters = new Set(rollouts.map(({ clusterId }) => clusterId)).size
  return `${workloads}${clusters > 1 ? ` in ${count(clusters)} clusters: ${tally(rollouts)}` : ''}; ${pods} from before the write.`
}

/** Why a run has no workloads to show. */
export function whyNone({ keys, steps, state, endedAt }: Pick<Run, 'keys' | 'steps' | 'state' | 'endedAt'>): string {
  if (keys === 0) return 'No Secret key is mapped to this account, so no workload reads it from one.'
  const step = (steps ?? []).find(({ name }) => name === 'rolled_out')
  const written = (steps ?? []).some((one) => one.name === 'published' && one.state === 'done')
  if (step?.state === 'skipped' && step.note) return `${sentence(step.note)} Nothing was restarted.`
  if (endedAt !== undefined) return 'The run ended before anything was restarted.'
  if (step?.state === 'running') return 'Keyturn looks who reads the keys.'
  if (written) return state === 'running' || state === 'queued' ? 'Keyturn will look who reads the keys.' : 'Who reads the keys is not known yet.'
  return 'Who reads the keys is looked up as soon as they are written.'
}
