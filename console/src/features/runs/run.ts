import type { Schemas } from '../../app/api'
import { type StateOf, states } from '../../api/states'
import type { Step } from '../../ui/Steps'
import { absolute, duration, type Zone } from '../../ui/format'
import { rolledOut } from './rollouts'

export type Run = Schemas['Run']
export type RunWrite = Schemas['RunWrite']

/** A state word of the server as one of the list; undefined for one that this console does not know. */
export function runState(state: string): StateOf<'run'> | undefined {
  return state in states.run ? (state as StateOf<'run'>) : undefined
}

/** The words of a write: those of a key, and "to do" before it was tried. */
export type WriteState = { object: 'key'; state: StateOf<'key'> } | { object: 'step'; state: StateOf<'step'> }

export function writeState(state: string): WriteState | undefined {
  if (state in states.key) return { object: 'key', state: state as StateOf<'key'> }
  return state in states.step ? { object: 'step', state: state as StateOf<'step'> } : undefined
}

export const isOpen = ({ state }: Pick<Run, 'state'>) => ['queued', 'running', 'waiting', 'needs_attention'].includes(state)
export const isStopped = ({ state }: Pick<Run, 'state'>) => state === 'waiting' || state === 'needs_attention'

/**
 * Whether the run has come to a wave that it has not begun: the one before is proved, and it waits for its pause to end or for
 * somebody to resume it. Nothing of it was tried, so that no try is counted.
 */
export function waveWaits(run: Run): boolean {
  const { wave = 0, waves = 0, writes } = run
  if (!isStopped(run) || waves === 0 || wave < 2 || (run.tries ?? 0) > 0) return false
  const of = (writes ?? []).filter((write) => write.wave === wave)
  return of.length > 0 && of.every(({ state }) => state === 'to_do')
}

/** How long it took or has taken, in milliseconds. */
export function age(run: Pick<Run, 'createdAt' | 'endedAt'>, now: number): number {
  return (run.endedAt === undefined ? now : Date.parse(run.endedAt)) - Date.parse(run.createdAt)
}

/** "5 min 20 s", and for a run that was over within a second "under 1 s". */
export function took(ms: number): string {
  return ms < 1000 ? 'under 1 s' : duration(ms)
}

/** What is counted now: the workloads while they are restarted, else the keys. */
function progressOf(run: Run): { done: number; total: number; noun: string } {
  const workloads = rolledOut(run)
  if (workloads.total > 0 && nextStep(run) === 'rolled_out') return { ...workloads, noun: 'workloads' }
  return { done: run.keysProved, total: run.keys, noun: 'keys' }
}

/** The browser tab while a run is open: "27/37 app_rw". */
export function tabOf(run: Run): string {
  const { done, total } = progressOf(run)
  return total > 0 && isOpen(run) ? `${done}/${total} ${run.accountName}` : `${run.accountName} ${wordOf(run)}`
}

/** The state as people read it. */
export function wordOf({ state }: Pick<Run, 'state'>): string {
  const known = runState(state)
  return known === undefined ? state.replaceAll('_', ' ') : states.run[known].word
}

/** One line for a screen reader: "published running, 27 of 37 keys". */
export function spoken(run: Run): string {
  const at = (run.steps ?? []).find(({ state }) => state === 'running' || state === 'failed' || state === 'unverified')
  const { done, total, noun } = progressOf(run)
  const far = total > 0 ? `, ${done} of ${total} ${noun}` : ''
  if (waveWaits(run)) return `Wave ${run.wave} of ${run.waves} waits to be begun${far}`
  if (at === undefined) return `Run ${wordOf(run)}${far}`
  return `${at.name.replaceAll('_', ' ')} ${states.step[at.state].word}${far}`
}

const versionOf: Record<string, 'new' | 'old'> = { minted: 'new', retired: 'old' }

/** The steps as the server stored them, with what is known of each. */
export function stepsOf(run: Run, zone: Zone): Step[] {
  return (run.steps ?? []).map((step): Step => {
    const which = versionOf[step.name]
    const version = which === undefined ? undefined : run[which]
    const next = step.state !== 'done' && step.state !== 'skipped' && step.name === nextStep(run)
    const failed = step.state === 'failed' || step.state === 'unverified'
        // Once done, the server's note says it: "37 of 37 keys written and read back".
    const counted = step.name === 'published' ? { done: run.keysProved, total: run.keys } : step.name === 'rolled_out' ? rolledOut(run) : undefined
    const counts = counted !== undefined && counted.total > 0 && (step.state === 'running' || failed || (next && run.state === 'waiting'))
    return {
      id: step.name,
      title: step.name.replaceAll('_', ' '),
      // Nothing failed between two waves: the rest of the step is to be done.
      state: next && waveWaits(run) ? 'to_do' : step.state,
      at: step.at,
      progress: counts ? counted : undefined,
      note: version ? `v${version}` : undefined,
      // The page says the run's own reason on top.
      detail: step.note === run.reason ? undefined : step.note,
      waitsFor: next ? waitsFor(run, zone) : undefined,
    }
  })
}

/** What a stopped run waits for, as a sentence. */
function waitsFor(run: Run, zone: Zone): string | undefined {
  const between = waveWaits(run)
  if (between && run.state === 'needs_attention') return `Wave ${run.wave} of ${run.waves} waits until somebody resumes the run.`
  if (run.state !== 'waiting' || !run.nextTryAt) return undefined
  return `${between ? 'The next wave begins' : 'Next try'} ${absolute(Date.parse(run.nextTryAt), zone, { seconds: true })}.`
}

function nextStep(run: Run): string | undefined {
  return (run.steps ?? []).find(({ state }) => state !== 'done' && state !== 'skipped')?.name
}

export interface WriteGroup {
  cluster: string
  namespace: string
  writes: readonly RunWrite[]
  proved: number
  /** Nothing in it waits for a person or an answer. */
  settled: boolean
}

const rank: Record<string, number> = { blocked: 0, behind: 1, hands_off: 2, to_do: 3, in_sync: 4 }
const rankOf = (write: RunWrite) => rank[write.state] ?? 0

/** The writes by cluster and namespace, and in each the worst first. */
export function groupWrites(writes: readonly RunWrite[]): WriteGroup[] {
  const by = new Map<string, RunWrite[]>()
  for (const write of writes) {
    const key = JSON.stringify([write.cluster, write.namespace])
    const known = by.get(key)
    if (known) known.push(write)
    else by.set(key, [write])
  }
  const groups = [...by.values()].map((all): WriteGroup => {
    const sorted = [...all].sort((a, b) => rankOf(a) - rankOf(b) || order(`${a.secret}/${a.key}`, `${b.secret}/${b.key}`))
    return {
      cluster: all[0]?.cluster ?? '',
      namespace: all[0]?.namespace ?? '',
      writes: sorted,
      proved: all.filter(({ state }) => state === 'in_sync').length,
      settled: all.every(({ state }) => state === 'in_sync' || state === 'to_do'),
    }
  })
  const worst = (group: WriteGroup) => Math.min(...group.writes.map(rankOf))
  return groups.sort((a, b) => worst(a) - worst(b) || order(a.cluster, b.cluster) || order(a.namespace, b.namespace))
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
