import { type StateOf, states } from '../../api/states'
import type { Schemas } from '../../app/api'
import { count, sentence } from '../../ui/format'
import type { Permission } from '../../ui/Offer'

export type Conflict = Schemas['Conflict']
export type ConflictKey = Schemas['ConflictKey']
export type DriftPolicy = Conflict['policy']
export type Side = 'cluster' | 'vault'

/** The drift policies, the one that a cluster begins with first. */
export const driftPolicies: readonly { policy: DriftPolicy; word: string; meaning: string }[] = [
  { policy: 'cluster_wins', word: 'the cluster wins', meaning: 'What the cluster has becomes the Secret’s current version.' },
  { policy: 'vault_wins', word: 'the vault wins', meaning: 'What was there before is written again within seconds, and the audit log says who had changed it. What a controller keeps is left alone.' },
  { policy: 'ask', word: 'ask', meaning: 'The Secret waits under Conflicts until somebody says which side is right.' },
]

export const driftWord = (policy: DriftPolicy): string => driftPolicies.find((one) => one.policy === policy)?.word ?? policy

/** The name of its Secret, and with that of its cluster. */
export const secretName = ({ namespace, name }: Pick<Conflict, 'namespace' | 'name'>) => `${namespace}/${name}`
export const pathName = (x: Pick<Conflict, 'clusterName' | 'namespace' | 'name'>) => `${x.clusterName}/${secretName(x)}`

export const conflictState = (state: string): StateOf<'conflict'> | undefined => (Object.hasOwn(states.conflict, state) ? (state as StateOf<'conflict'>) : undefined)

/** What was done to the keys of a Secret in its cluster: "password changed (app_rw on orders-db), note added". */
export function changedKeys({ keys }: Pick<Conflict, 'keys'>): string {
  return (keys ?? []).map(({ name, change, accountName }) => `${name} ${change}${accountName ? ` (${accountName})` : ''}`).join(', ')
}

/** What the vault has in place of a key. */
export function vaultHas({ change, version, accountName }: Pick<ConflictKey, 'change' | 'version' | 'accountName'>): string {
  if (accountName) return `the value of the account ${accountName}`
  if (change === 'added') return 'no such key'
  return version ? `the value of version ${count(version)}` : 'a value that is not known here'
}

/** Whether a side can be kept now, and if not why: of what the server would refuse nothing is offered. */
export function mayKeep(x: Conflict, side: Side): Permission {
  const may = x.can?.['resolve'] ?? { allowed: false, reason: 'The server does not say whether you may.' }
  if (!may.allowed) return may
  if (side === 'vault' && x.state === 'healing') return { allowed: false, reason: 'The vault’s values are being written already.' }
  const mapped = (x.keys ?? []).find(({ accountId }) => accountId)
  if (side === 'cluster' && mapped) {
    return { allowed: false, reason: `The key ${mapped.name} is mapped to the account ${mapped.accountName ?? 'of somebody'}, and what stands in the cluster is not its value. Reset the account, or delete the mapping first.` }
  }
  return may
}

/** What keeping a side means. */
export const meaning: Readonly<Record<Side, string>> = {
  cluster: 'What the cluster has counts from now on and becomes the current version. Nothing is written.',
  vault: 'The vault’s values are written to the cluster, soon after. What a controller owns, or changed again in that moment, is not written over.',
}
export const nothingLost = 'Neither loses a value: each state is a version of the Secret.'

/** Where one conflict stands, in one sentence. */
export function standing({ state, reason, cure, wantedBy }: Pick<Conflict, 'state' | 'reason' | 'cure' | 'wantedBy'>): string {
  if (state === 'settled') return 'Nothing differs any more.'
  if (state === 'healing') return `The vault’s values are being written again${wantedBy ? `, as ${wantedBy} asked` : ''}.`
  const why = reason ? sentence(reason) : states.conflict[state].meaning
  return cure ? `${why.replace(/\.?$/, '.')} ${sentence(cure)}` : why
}

/** What waits, in one sentence. Those that are settled wait for nobody. */
export function conflictsAnswer(counts: Readonly<Record<string, number>>): string {
  const [open, stopped, healing] = ['open', 'stopped', 'healing'].map((state) => counts[state] ?? 0) as [number, number, number]
  if (open + stopped + healing === 0) return 'Nothing differs from what it should be.'
  const healed = healing === 0 ? '' : `${count(healing)} ${healing === 1 ? 'is' : 'are'} being put right.`
  if (open + stopped === 0) return `Nobody has to decide; ${healed}`
  const waits = `${count(open + stopped)} ${open + stopped === 1 ? 'Secret waits' : 'Secrets wait'} for a decision${stopped === 0 ? '' : open === 0 ? ', stopped' : `, ${count(stopped)} of them stopped`}.`
  return [waits, healed].filter(Boolean).join(' ')
}

/** All that are not settled, by their counts. */
export const unsettled = (counts: Readonly<Record<string, number>>): number => Object.entries(counts).reduce((sum, [state, n]) => sum + (state === 'settled' ? 0 : n), 0)
