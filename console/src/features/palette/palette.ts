import type { Permission, Place } from '../../ui/Offer'
import type { EntryKey } from '../../ui/nav'
import { footEntries, railGroups } from '../../ui/nav'

/** Something that one can jump to. An entry that changes something leads to its form or dialog, and does nothing itself. */
export interface Jump {
  /** The same place has the same id, whatever found it. */
  id: string
  label: string
  /** What tells it from others of the same name. */
  hint?: string
  place: Place
}

export interface JumpGroup {
  label: string
  jumps: readonly Jump[]
}

type Can = Readonly<Record<string, Permission | undefined>>

const settings: readonly [string, string, string?][] = [
  ['users', 'Users', 'user.list'],
  ['groups', 'Groups', 'group.list'],
  ['grants', 'Grants', 'grant.list'],
  ['tokens', 'Tokens'],
  ['server', 'Server'],
  ['appearance', 'Appearance'],
]

const actions: readonly [string, string, Place][] = [
  ['cluster.create', 'Connect a cluster', { to: '/clusters/new' }],
  ['resource.create', 'New resource', { to: '/resources', search: { dialog: 'new' } }],
  ['policy.create', 'New policy', { to: '/policies/new' }],
  ['user.create', 'Make a user', { to: '/settings/users', search: { do: 'new' } }],
  ['group.create', 'Make a group', { to: '/settings/groups', search: { do: 'new' } }],
  ['token.create', 'Make a token', { to: '/settings/tokens', search: { do: 'new' } }],
  ['audit.verify', 'Verify the audit log', { to: '/audit' }],
  ['restore.get', 'See whether a backup was restored', { to: '/restore' }],
]

/** The pages that the person may open. */
export function pagesFor(visible: readonly EntryKey[], can: Can): Jump[] {
  const rail = [...railGroups.flatMap(({ entries }) => entries), ...footEntries].filter(({ key }) => visible.includes(key))
  return [
    ...rail.map(({ key, label, to }) => ({ id: `page ${key}`, label, place: { to } })),
    ...settings.filter(([, , op]) => op === undefined || can[op]?.allowed).map(([key, label]) => ({ id: `page settings/${key}`, label, hint: 'Settings', place: { to: `/settings/${key}` } })),
  ]
}

/** What the person may begin from anywhere. */
export function actionsFor(can: Can): Jump[] {
  return actions.filter(([op]) => can[op]?.allowed).map(([op, label, place]) => ({ id: `do ${op}`, label, place }))
}

/** The object of the page at a path, when it is one that has verbs. */
export function objectAt(path: string): { kind: 'cluster' | 'account' | 'policy'; name: string; resource?: string } | undefined {
  const parts = path.split('/').slice(1).map(decodeURIComponent)
  const [first, name = '', accounts, account] = parts
  if (first === 'clusters' && name !== '' && name !== 'new') return { kind: 'cluster', name }
  if (first === 'policies' && name !== '' && name !== 'new') return { kind: 'policy', name }
  if (first === 'resources' && accounts === 'accounts' && account !== undefined) return { kind: 'account', name: account, resource: name }
  return undefined
}

const verbsOf = {
  cluster: [['fetch', 'Fetch from', 'fetch'], ['update', 'Edit', 'edit']],
  policy: [['update', 'Edit', 'edit']],
  account: [['reset', 'Reset', 'reset'], ['plan', 'Plan a reset of', 'plan'], ['map', 'Associate', 'associate']],
} as const

/** What the person may do with the object of the open page, as the object's `can` says. */
export function verbsAt(path: string, can: Can): Jump[] {
  const at = objectAt(path)
  if (at === undefined) return []
  const own = encodeURIComponent(at.name)
  const base = { cluster: `/clusters/${own}`, policy: `/policies/${own}`, account: `/resources/${encodeURIComponent(at.resource ?? '')}/accounts/${own}` }[at.kind]
  const verbs: readonly (readonly [string, string, string])[] = verbsOf[at.kind]
  return verbs.filter(([op]) => can[op]?.allowed).map(([op, verb, page]) => ({ id: `do ${op} ${base}`, label: `${verb} ${at.name}`, place: { to: `${base}/${page}` } }))
}

/** Those that hold every typed word, those that begin with the text first; all of them for no text. */
export function matching(jumps: readonly Jump[], typed: string): Jump[] {
  const text = typed.trim().toLowerCase()
  const words = text.split(/\s+/)
  const textOf = ({ label, hint = '' }: Jump) => `${label} ${hint}`.toLowerCase()
  const found = jumps.filter((jump) => words.every((word) => textOf(jump).includes(word)))
  const begins = (jump: Jump) => (textOf(jump).startsWith(text) ? 0 : 1)
  return text === '' ? [...jumps] : found.sort((a, b) => begins(a) - begins(b))
}

/** The groups without what an earlier group holds; an empty one is gone. */
export function once(groups: readonly JumpGroup[]): JumpGroup[] {
  const seen = new Set<string>()
  const fresh = ({ id }: Jump) => !seen.has(id) && seen.add(id)
  return groups.map(({ label, jumps }) => ({ label, jumps: jumps.filter(fresh) })).filter(({ jumps }) => jumps.length > 0)
}

const kept = 6

/** The recent ones with this one first. */
export function withRecent(recent: readonly Jump[], jump: Jump): Jump[] {
  return [jump, ...recent.filter(({ id }) => id !== jump.id)].slice(0, kept)
}
