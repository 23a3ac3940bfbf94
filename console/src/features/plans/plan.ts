import { keys } from '../../api/keys'
import { type StateOf, states } from '../../api/states'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { count, duration } from '../../ui/format'
import type { Step } from '../../ui/Steps'
import { type Named, useRead } from '../resources/named'

export type Plan = Schemas['Plan']
export type PlanKey = Schemas['PlanKey']
export type PlanWorkload = Schemas['PlanWorkload']
export type Rehearsal = Schemas['Rehearsal']

/** What a reset of an account would do now. It is read anew each time that the page is opened. */
export function usePlan(account: string): Named<Plan> {
  const api = useApi()
  return useRead([...keys.one('account', account), 'plan'], async (signal) => bodyOf(await api.GET('/api/v1/accounts/{account}/plan', { params: { path: { account } }, signal })))
}

/** What the last rehearsal of an account found; the event of its end has it read again. */
export function useRehearsal(account: string, enabled = true): Named<Rehearsal> {
  const api = useApi()
  return useRead([...keys.one('account', account), 'rehearsal'], async (signal) => bodyOf(await api.GET('/api/v1/accounts/{account}/rehearsal', { params: { path: { account } }, signal })), enabled)
}

const many = (n: number, one: string, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`

/** Who is touched, in one line: "37 keys · 3 clusters · 22 workloads · 61 pods restart · about 6 min · 3 waves". */
export function blastText({ blast, estimate, waves = 0 }: Pick<Plan, 'blast' | 'estimate' | 'waves'>): string {
  return [
    many(blast.keys, 'key'), many(blast.clusters, 'cluster'), many(blast.workloads, 'workload'), `${many(blast.pods, 'pod')} restart`,
    `about ${duration(estimate.seconds * 1000)}`, waves > 1 && many(waves, 'wave'),
  ].filter(Boolean).join(' · ')
}

/** What is to be weighed before a run is begun, what would stop it first. */
export function weighed(plan: Plan): { text: string; cure?: string; blocks: boolean }[] {
  const { blast, lockout, warnings } = plan
  const own = (warnings ?? []).map(({ text, cure, blocks = false }) => ({ text, cure, blocks }))
  const more = [
    lockout && { text: lockout.openEnded ? `Readers that hold the old value cannot log in, and nothing in the run ends it. ${lockout.until}` : `Readers that hold the old value cannot log in for about ${duration(lockout.seconds * 1000)}. ${lockout.until}`, blocks: false },
    blast.blocked > 0 && { text: `${many(blast.blocked, 'key')} could not be written as things are; each says why.`, blocks: true },
    blast.singleReplica > 0 && { text: `${many(blast.singleReplica, 'workload')} with one replica ${blast.singleReplica === 1 ? 'is' : 'are'} restarted: nothing serves for a moment.`, blocks: false },
  ]
  return [...own, ...more.filter((one) => one !== undefined && one !== false)].sort((a, b) => Number(b.blocks) - Number(a.blocks))
}

/** The clusters of each wave in their order; none when all go at once. */
export function waveClusters({ waves = 0, keys: all }: Pick<Plan, 'waves' | 'keys'>): { number: number; clusters: string[]; keys: number }[] {
  return Array.from({ length: waves }, (_, i) => {
    const own = (all ?? []).filter(({ wave = 1 }) => wave === i + 1)
    return { number: i + 1, clusters: [...new Set(own.map(({ cluster }) => cluster))].sort(), keys: own.length }
  })
}

const actions: Record<string, string> = { restart: 'is restarted', ask: 'waits until somebody resumes the run', later: 'its next pods have the new value', rename: 'is told the new Secret’s name', none: 'is left alone', refused: 'may not be restarted: the run would stop there' }

/** What becomes of a workload. */
export const actionText = ({ action }: Pick<PlanWorkload, 'action'>) => actions[action] ?? action

const rank = ['refused', 'ask', 'restart', 'rename', 'later', 'none']

/** The workloads with those first that keep a run from its end. */
export function worstWorkloads(all: readonly PlanWorkload[]): PlanWorkload[] {
  const of = ({ action }: PlanWorkload) => rank.indexOf(action)
  const path = ({ cluster, namespace, name }: PlanWorkload) => `${cluster}/${namespace}/${name}`
  return [...all].sort((a, b) => of(a) - of(b) || path(a).localeCompare(path(b)))
}

const keyRank = ['blocked', 'hands_off', 'unseen', 'drift', 'in_sync']

/** The keys with those first that could not be written. */
export function worstKeys(all: readonly PlanKey[]): PlanKey[] {
  const of = ({ state }: PlanKey) => keyRank.indexOf(state)
  const path = ({ cluster, namespace, secret, key }: PlanKey) => `${cluster}/${namespace}/${secret}/${key}`
  return [...all].sort((a, b) => of(a) - of(b) || path(a).localeCompare(path(b)))
}

/** How a workload reads the keys: "db by env PASSWORD". */
export function usesText({ uses }: Pick<PlanWorkload, 'uses'>): string {
  return (uses ?? []).map(({ secret, how, at, refreshes }) => `${secret} by ${how}${at ? ` ${at}` : ''}${refreshes ? ', seen without a restart' : ''}`).join('; ')
}

/** The word for an account's readiness; undefined for one that this console does not know. */
export function readinessState(state: string | undefined): StateOf<'readiness'> | undefined {
  return state !== undefined && state in states.readiness ? (state as StateOf<'readiness'>) : undefined
}

const titles: Record<string, string> = { login: 'log in', privilege: 'may change the password', census: 'see what reads the keys', write: 'write the key', restart: 'restart the workload' }

/** What a rehearsal tried, in order, as steps. */
export function stepsOf({ steps }: Pick<Rehearsal, 'steps'>): Step[] {
  return (steps ?? []).map((step, i): Step => ({
    id: `${step.name} ${step.object} ${i}`,
    title: titles[step.name] ?? step.name,
    state: step.state,
    note: [step.object, step.cluster && `in ${step.cluster}`].filter(Boolean).join(' '),
    detail: [step.proved, step.reason, step.cure && `What to do now: ${step.cure}`].filter(Boolean).join(' ') || undefined,
  }))
}
