import type { Schemas } from '../../app/api'
import type { Password, Policy, Rotation } from './policy'

/** The fields of a policy as a form holds them. A list is one text, its entries on lines of their own; yes or nothing is a choice. */
export const labels = {
  name: 'Name',
  description: 'Description',
  every: 'Interval',
  cron: 'Cron line',
  maxAge: 'Oldest age',
  onReveal: 'After a reveal',
  zone: 'Time zone',
  windows: 'Windows',
  blackouts: 'Blackouts',
  jitter: 'Spread',
  heartbeat: 'Login check',
  reconcile: 'Repair',
  rehearse: 'Rehearsal',
  canary: 'First clusters',
  waveSize: 'Size of a wave',
  wavePause: 'Pause between waves',
  restartOrder: 'Order of restarts',
  restartWindows: 'Windows for restarts',
  onStuck: 'A run that is stuck',
  immutable: 'Immutable Secrets',
  length: 'Length',
  alphabets: 'Characters',
  usual: 'Usual exclusions',
  exclude: 'Without',
  require: 'At least',
  first: 'First character',
  words: 'Words',
  separator: 'Between words',
  forbid: 'Forbidden texts',
  forbidName: 'The account’s name',
  history: 'History',
} as const

export type Key = keyof typeof labels
export type Draft = Readonly<Record<Key, string>>

export const classesOf = ['lower', 'upper', 'digits', 'symbols'] as const

export interface Blackout {
  from: string
  to: string
  why: string
}

/** The entries of a list of texts. */
export const lines = (text: string): string[] => text.split(/[\n,]/).map((line) => line.trim()).filter(Boolean)

export function blackoutsOf(text: string): Blackout[] {
  return text === '' ? [] : (JSON.parse(text) as Blackout[])
}

export const blackoutsText = (all: readonly Blackout[]) => (all.length === 0 ? '' : JSON.stringify(all))

/** "lower 1" on lines of their own, in the order of the classes. */
export function requireText(require: Readonly<Record<string, number>> | undefined): string {
  return classesOf.filter((one) => require?.[one] !== undefined).map((one) => `${one} ${require?.[one]}`).join('\n')
}

export function requireOf(text: string): Record<string, number> | undefined {
  const all = lines(text).map((line) => line.split(' '))
  return all.length === 0 ? undefined : Object.fromEntries(all.map(([one = '', n]) => [one, Number(n)]))
}

const text = (value: string | number | undefined | null) => (value === undefined || value === null ? '' : String(value))
const list = (values: readonly string[] | null | undefined) => (values ?? []).join('\n')

/** A policy as the form shows it. */
export function draftOf(policy: Pick<Policy, 'name' | 'description' | 'password' | 'rotation' | 'history'>): Draft {
  const { password: p, rotation: r } = policy
  return {
    name: policy.name, description: text(policy.description), history: text(policy.history),
    every: text(r.every), cron: text(r.cron), maxAge: text(r.maxAge), onReveal: text(r.onReveal), zone: text(r.zone), windows: list(r.windows),
    blackouts: blackoutsText((r.blackouts ?? []).map(({ from, to, why = '' }) => ({ from, to, why }))),
    jitter: text(r.jitter), heartbeat: text(r.heartbeat), reconcile: list(r.reconcile), rehearse: text(r.rehearse), canary: list(r.canary), waveSize: text(r.waveSize), wavePause: text(r.wavePause),
    restartOrder: list(r.restartOrder), restartWindows: list(r.restartWindows), onStuck: text(r.onStuck), immutable: text(r.immutable),
    length: text(p.length), alphabets: list(p.alphabets), usual: p.exclude === undefined ? 'yes' : '', exclude: text(p.exclude), require: requireText(p.require), first: list(p.first), words: text(p.words),
    separator: text(p.separator), forbid: list(p.forbid), forbidName: p.forbidName ? 'yes' : '',
  }
}

/** What a new policy begins with: a value each month, made as the default is. */
export const newDraft: Draft = draftOf({ name: '', password: {}, rotation: { every: '30d' }, history: 0 })

const maybe = (value: string) => (value.trim() === '' ? undefined : value.trim())
const number = (value: string) => (value.trim() === '' ? undefined : Number(value))
const many = (value: string) => (lines(value).length === 0 ? undefined : lines(value))

export function rotationOf(d: Draft): Rotation {
  const blackouts = blackoutsOf(d.blackouts)
  return {
    every: maybe(d.every), cron: maybe(d.cron), maxAge: maybe(d.maxAge), onReveal: maybe(d.onReveal), zone: maybe(d.zone), windows: many(d.windows),
    blackouts: blackouts.length === 0 ? undefined : blackouts.map(({ from, to, why }) => ({ from, to, why: maybe(why) })),
    jitter: maybe(d.jitter), heartbeat: maybe(d.heartbeat), reconcile: many(d.reconcile), rehearse: maybe(d.rehearse), canary: many(d.canary), waveSize: maybe(d.waveSize), wavePause: maybe(d.wavePause),
    restartOrder: many(d.restartOrder), restartWindows: many(d.restartWindows), onStuck: d.onStuck === 'rollback' ? 'rollback' : undefined, immutable: d.immutable === 'replace' || d.immutable === 'refuse' ? d.immutable : undefined,
  }
}

/** Words leave aside what says of which characters a value is. */
export function passwordOf(d: Draft): Password {
  const both = { forbid: d.forbid.trim() === '' ? undefined : d.forbid.split('\n').filter((line) => line !== ''), forbidName: d.forbidName === 'yes' ? true : undefined, length: number(d.length) }
  if (Number(d.words) > 0) return { ...both, words: Number(d.words), separator: d.separator === '' ? undefined : d.separator }
  return { ...both, alphabets: many(d.alphabets), exclude: d.usual === 'yes' ? undefined : d.exclude, require: requireOf(d.require), first: many(d.first) }
}

export function newPolicyOf(d: Draft): Schemas['NewPolicy'] {
  return { name: d.name.trim(), description: maybe(d.description), password: passwordOf(d), rotation: rotationOf(d), history: Number(d.history) }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** What separates the draft from what is stored; undefined when nothing does. Password and rotation are sent as a whole. */
export function changeOf(base: Draft, now: Draft): Schemas['PolicyChange'] | undefined {
  const change: Schemas['PolicyChange'] = {}
  if (base.name !== now.name) change.name = now.name.trim()
  if (base.description !== now.description) change.description = now.description.trim()
  if (base.history !== now.history) change.history = Number(now.history)
  if (!same(passwordOf(base), passwordOf(now))) change.password = passwordOf(now)
  if (!same(rotationOf(base), rotationOf(now))) change.rotation = rotationOf(now)
  return Object.keys(change).length === 0 ? undefined : change
}
