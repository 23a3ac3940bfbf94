import type { Schemas } from '../../app/api'

export type Strategy = Schemas['Run']['strategy']

/** How the old value and the new one follow each other on the system, and what that means for what reads them. */
export const strategies: Readonly<Record<Strategy, { label: string; means: string }>> = {
  single: {
    label: 'one value at a time',
    means: 'The old value ends when the new one is set. What has not read the new one by then cannot log in until it does.',
  },
  overlap: {
    label: 'both values until every reader has the new one',
    means: 'The system takes both. The old value ends when every key was written and no restarted workload has a pod from before: nothing is refused meanwhile.',
  },
  alternating: {
    label: 'two logins that take turns',
    means: 'The login that nobody uses gets a new value, and everybody moves to it. The other one stays valid.',
  },
}

const isStrategy = (word: string): word is Strategy => word in strategies

/** A strategy in words; the empty one is that of the type. */
export function strategyLabel(word: string): string {
  return word === '' ? 'best the type can' : isStrategy(word) ? strategies[word].label : word
}

/** What may be chosen for an account of a type that can hold two values, or not, and of which two logins can take turns, or
 * not. `byReconcile`: two values take a reconcile account, or that somebody chooses them. */
export function strategiesFor(type: string, overlap: boolean, pair = false, byReconcile = false): { value: Strategy | ''; label: string; means: string }[] {
  const best = strategies[overlap ? 'overlap' : 'single']
  return [
    { value: '', label: strategyLabel(''), means: `For ${type}: ${best.label}${overlap && byReconcile ? ', if the resource has a reconcile account' : ''}.` },
    { value: 'single', ...strategies.single },
    ...(overlap ? [{ value: 'overlap' as const, ...strategies.overlap }] : []),
    ...(pair ? [{ value: 'alternating' as const, ...strategies.alternating }] : []),
  ]
}

/** How the account's next reset goes, in one sentence; nothing where that is not known. */
export function strategyText(strategy: string | undefined, type: (Pick<Schemas['Type'], 'change' | 'overlap'> & Partial<Pick<Schemas['Type'], 'overlapByReconcile'>>) | undefined): string | undefined {
  const word = strategy || (type === undefined ? '' : type.overlap ? 'overlap' : 'single')
  if (word === '' || type?.change === false || !isStrategy(word)) return undefined
  if (word === 'alternating') return 'A reset changes the login that nobody uses, and moves everybody to it.'
  // The account does not say whether its resource has a reconcile account.
  if (!strategy && type?.overlap && type.overlapByReconcile) return 'A reset keeps both values valid until every reader has the new one, if the resource has a reconcile account.'
  return word === 'overlap' ? 'A reset keeps both values valid until every reader has the new one.' : 'A reset takes one value at a time.'
}
