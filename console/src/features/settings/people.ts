import type { Schemas } from '../../app/api'
import { absolute, type Zone } from '../../ui/format'

export type User = Schemas['User']
export type Group = Schemas['Group']
export type Grant = Schemas['Grant']
export type Token = Schemas['Token']
export type OpenSession = Schemas['OpenSession']
export type Role = User['role']
export type Level = Grant['level']

export const roles: readonly { value: Role; label: string; means: string }[] = [
  { value: 'administrator', label: 'Administrator', means: 'Everything, users and grants too.' },
  { value: 'operator', label: 'Operator', means: 'Connects clusters and makes resources; works with what was granted.' },
  { value: 'auditor', label: 'Auditor', means: 'Sees everything but values, and changes nothing.' },
  { value: 'user', label: 'User', means: 'Works with what was granted.' },
]

export const roleName = (role: Role) => roles.find(({ value }) => value === role)?.label ?? role

export const levels: readonly { value: Level; label: string; means: string }[] = [
  { value: 'view', label: 'View', means: 'see it, without values' },
  { value: 'use', label: 'Use', means: 'reset and verify it, without seeing values' },
  { value: 'reveal', label: 'Reveal', means: 'see its values too' },
  { value: 'manage', label: 'Manage', means: 'change, delete and share it' },
]

const verbs: Record<Level, string> = { view: 'see', use: 'use', reveal: 'reveal', manage: 'manage' }
const reach: Record<Grant['objectKind'], string> = { cluster: 'everything in cluster', resource: 'every account of', account: 'account' }

/** The parts of a grant as a sentence: "Group db-owners may reveal every account of orders-db until 1 Dec 12:00 CET". */
export interface GrantParts {
  who: string
  name: string
  verb: string
  reach: string
  object: string
  until: string
}

export function grantParts(grant: Pick<Grant, 'subjectKind' | 'subjectName' | 'objectKind' | 'objectName' | 'level' | 'expiresAt'>, zone: Zone): GrantParts {
  return {
    who: grant.subjectKind === 'group' ? 'Group' : 'User',
    name: grant.subjectName,
    verb: verbs[grant.level],
    reach: reach[grant.objectKind],
    object: grant.objectName,
    until: grant.expiresAt === undefined ? 'without end' : `until ${absolute(Date.parse(grant.expiresAt), zone)}`,
  }
}

/** The same as one text, for names of buttons. */
export function grantText(parts: GrantParts): string {
  return `${parts.who} ${parts.name} may ${parts.verb} ${parts.reach} ${parts.object} ${parts.until}`
}

/** The end that was chosen: a number of days from now, or none. */
export function endAfter(days: string, now: number): string | undefined {
  const n = Number(days)
  return days === '' || !Number.isFinite(n) || n <= 0 ? undefined : new Date(now + n * 86_400_000).toISOString()
}

/** The scopes that a token can have: all, all of an object, or one operation. */
export function scopesOf(operations: readonly string[]): string[] {
  const objects = [...new Set(operations.map((op) => op.slice(0, op.indexOf('.'))))]
  return ['*', ...objects.map((object) => `${object}.*`), ...operations].sort()
}

/** What separates a change from what is there; undefined when nothing does. */
export function changed<T extends object>(before: T, after: Partial<T>): Partial<T> | undefined {
  const entries = Object.entries(after).filter(([key, value]) => before[key as keyof T] !== value)
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>)
}
