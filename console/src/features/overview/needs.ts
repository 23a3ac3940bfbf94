import { type StateObject, states } from '../../api/states'
import type { Schemas } from '../../app/api'

export type Need = Schemas['Need']

/** The object whose state words a need's kind has; undefined for a kind that this console does not know. */
export function objectOf({ kind, state }: Pick<Need, 'kind' | 'state'>): StateObject | undefined {
  const object = { cluster: 'cluster', account: 'account', mapping: 'key', run: 'run' }[kind] as StateObject | undefined
  return object !== undefined && Object.hasOwn(states[object], state) ? object : undefined
}

const verbs: Record<string, string> = {
  'cluster degraded': 'See rights',
  'cluster unreachable': 'Test',
  'cluster untrusted': 'See certificate',
  'cluster unauthorised': 'Replace token',
  'account out_of_sync': 'Verify',
  'account locked_out': 'Open',
  'mapping drift': 'Decide',
  'mapping conflict': 'Decide',
  'mapping behind': 'Write',
  'mapping blocked': 'See why',
  'mapping hands_off': 'See why',
  'run needs_attention': 'Open run',
}

/** What the link of a need says: what the person does there. */
export function verbOf({ kind, state }: Pick<Need, 'kind' | 'state'>): string {
  return verbs[`${kind} ${state}`] ?? 'Open'
}

const encode = encodeURIComponent

export interface Place {
  to: string
  search?: Record<string, string>
}

/** Where a need is dealt with. `cluster` is that of a mapping, when it is known. */
export function placeOf({ kind, id, name, state }: Pick<Need, 'kind' | 'id' | 'name' | 'state'>, cluster?: string): Place {
  if (kind === 'cluster') return state === 'unauthorised' ? { to: `/clusters/${encode(name)}/edit` } : { to: `/clusters/${encode(name)}`, search: { tab: 'connection' } }
  if (kind === 'run') return { to: `/runs/${encode(id)}` }
  if (kind === 'account') {
    // The account's name is the last part; a namespace's resource has a slash of its own.
    const cut = name.lastIndexOf('/')
    return { to: `/resources/${encode(name.slice(0, cut))}/accounts/${encode(name.slice(cut + 1))}` }
  }
  const [namespace = '', secret = ''] = name.split('/')
  return cluster === undefined ? { to: '/secrets', search: { q: secret } } : { to: `/secrets/${encode(cluster)}/${encode(namespace)}/${encode(secret)}` }
}
