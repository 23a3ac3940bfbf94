import type { Schemas } from '../../app/api'
import type { FilterState } from '../../ui/filter'
import { count } from '../../ui/format'

export type Remote = Schemas['RemoteSecret']
export type RemoteNamespace = Schemas['RemoteNamespace']
type Selection = Schemas['Selection']
export type Rule = Schemas['Rule']

/**
 * What is picked. Namespaces are chosen whole, with what comes later; Secrets
 * singly. `all` is every namespace. What is left out by default is chosen by
 * neither, only singly.
 */
export interface Choice {
  all: boolean
  namespaces: ReadonlySet<string>
  /** "namespace/name". */
  secrets: ReadonlySet<string>
}

export const nothing: Choice = { all: false, namespaces: new Set(), secrets: new Set() }

/** What a cluster has, by namespace. */
export interface Group extends RemoteNamespace {
  secrets: readonly Remote[]
}

export const refOf = ({ namespace, name }: Pick<Remote, 'namespace' | 'name'>): string => `${namespace}/${name}`

/** The Secrets by namespace, in the order of names; a namespace that could not be listed stays, with its reason. */
export function groupsOf(found: Schemas['RemoteSecrets']): Group[] {
  const groups = new Map<string, Group & { secrets: Remote[] }>()
  for (const namespace of found.namespaces ?? []) groups.set(namespace.name, { ...namespace, secrets: [] })
  for (const secret of found.items ?? []) {
    const group = groups.get(secret.namespace) ?? { name: secret.namespace, secrets: [] }
    groups.set(secret.namespace, group)
    group.secrets.push(secret)
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  for (const group of groups.values()) group.secrets.sort(byName)
  return [...groups.values()].sort(byName)
}

/** The types of the Secrets, the most frequent first. */
export function typesOf(secrets: readonly Remote[]): { value: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const { type } of secrets) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts].map(([value, n]) => ({ value, count: n })).sort((a, b) => b.count - a.count)
}

/** The groups with only the Secrets that a filter lets through; namespaces without any are gone. */
export function filtered(groups: readonly Group[], { tokens, text }: FilterState): Group[] {
  if (tokens.length === 0 && text === '') return [...groups]
  const of = (key: string) => tokens.filter((token) => token.key === key).map(({ value }) => value)
  const [types, namespaces] = [of('type'), of('ns')]
  const part = text.toLowerCase()
  return groups
    .filter(({ name }) => namespaces.length === 0 || namespaces.some((pattern) => matches(pattern, name)))
    .map((group) => ({
      ...group,
      secrets: group.secrets.filter(
        (secret) => (types.length === 0 || types.some((type) => secret.type.includes(type))) && refOf(secret).toLowerCase().includes(part),
      ),
    }))
    .filter(({ secrets, problem }) => secrets.length > 0 || (problem !== undefined && types.length === 0 && part === ''))
}

/** Whether a Secret is picked. */
export function isChosen({ all, namespaces, secrets }: Choice, secret: Remote): boolean {
  return secrets.has(refOf(secret)) || (!secret.leftOut && (all || namespaces.has(secret.namespace)))
}

export type Tick = 'on' | 'some' | 'off'

/** How a namespace's box stands, for the Secrets that are shown of it. */
export function tickOf(choice: Choice, group: Group): Tick {
  if (group.secrets.length === 0) return choice.all || choice.namespaces.has(group.name) ? 'on' : 'off'
  let [on, off] = [0, 0]
  for (const secret of group.secrets) {
    if (isChosen(choice, secret)) on++
    else if (!secret.leftOut) off++
  }
  return on === 0 ? (off === 0 && (choice.all || choice.namespaces.has(group.name)) ? 'on' : 'off') : off === 0 ? 'on' : 'some'
}

/** The choice with everything of one namespace as single Secrets, so that one can be taken out. */
function singled(choice: Choice, groups: readonly Group[], name: string): { namespaces: Set<string>; secrets: Set<string> } {
  const namespaces = new Set(choice.all ? groups.map((group) => group.name) : choice.namespaces)
  const secrets = new Set(choice.secrets)
  if (namespaces.delete(name)) {
    for (const secret of groups.find((group) => group.name === name)?.secrets ?? []) if (!secret.leftOut) secrets.add(refOf(secret))
  }
  return { namespaces, secrets }
}

/** Turns the box of one Secret. `groups` are all, whatever the filter. */
export function turnSecret(choice: Choice, groups: readonly Group[], secret: Remote): Choice {
  const ref = refOf(secret)
  if (!isChosen(choice, secret)) return { ...choice, secrets: new Set(choice.secrets).add(ref) }
  if (choice.secrets.has(ref) && (secret.leftOut || (!choice.all && !choice.namespaces.has(secret.namespace)))) {
    const secrets = new Set(choice.secrets)
    secrets.delete(ref)
    return { ...choice, secrets }
  }
  const { namespaces, secrets } = singled(choice, groups, secret.namespace)
  secrets.delete(ref)
  return { all: false, namespaces, secrets }
}

/**
 * Turns the box of a namespace. Without a filter it chooses the namespace whole.
 * Under one it means the Secrets that are shown, and never more.
 */
export function turnNamespace(choice: Choice, groups: readonly Group[], shown: Group): Choice {
  const whole = groups.find(({ name }) => name === shown.name)
  const turnOn = tickOf(choice, shown) !== 'on'
  if (whole && whole.secrets.length !== shown.secrets.length) {
    const base = turnOn ? { namespaces: new Set(choice.namespaces), secrets: new Set(choice.secrets) } : singled(choice, groups, shown.name)
    for (const secret of shown.secrets) {
      if (!turnOn) base.secrets.delete(refOf(secret))
      else if (!secret.leftOut) base.secrets.add(refOf(secret))
    }
    return { all: turnOn && choice.all, ...base }
  }
  const { namespaces, secrets } = singled(choice, groups, shown.name)
  for (const secret of whole?.secrets ?? []) if (!turnOn || !secret.leftOut) secrets.delete(refOf(secret))
  if (turnOn) namespaces.add(shown.name)
  return { all: false, namespaces, secrets }
}

/** Whether a glob matches as the server does it: * is any number of characters, ? is one, nothing else is special. */
export function matches(glob: string, text: string): boolean {
  let [p, i, star, from] = [0, 0, -1, 0]
  while (i < text.length) {
    if (glob[p] === '*') {
      star = p++
      from = i
    } else if (p < glob.length && (glob[p] === '?' || glob[p] === text[i])) {
      p++
      i++
    } else if (star >= 0) {
      p = star + 1
      i = ++from
    } else return false
  }
  return /^\**$/.test(glob.slice(p))
}

/** A rule as the form has it. */
export interface RuleDraft {
  namespaces: readonly string[]
  names: readonly string[]
  labels: string
  types: readonly string[]
}

export const emptyRule: RuleDraft = { namespaces: [], names: [], labels: '', types: [] }

type Term = (labels: Record<string, string>) => boolean

/** The conditions of "k=v,k2!=v,k3"; undefined when it cannot be read. */
export function termsOf(text: string): Term[] | undefined {
  if (text.trim() === '') return []
  const terms: Term[] = []
  for (const part of text.split(',')) {
    const [, key = '', sign = '', value = ''] = /^([^=!]*)(!=|==?)?(.*)$/.exec(part.trim()) ?? []
    const [name, wanted] = [key.trim(), value.trim()]
    if (name === '' || /[!= ()]/.test(name) || /[!= ()]/.test(wanted)) return undefined
    if (sign === '!=') terms.push((labels) => labels[name] !== wanted)
    else if (sign === '') terms.push((labels) => name in labels)
    else terms.push((labels) => labels[name] === wanted)
  }
  return terms
}

// The machinery of a cluster; a rule reaches it only by the names of single Secrets, which a rule has none of.
const leftOutNamespaces = ['kube-system', 'keyturn']

/** Which Secrets a rule chooses now; none when it cannot be read. */
export function chosenByRule(rule: RuleDraft, secrets: readonly Remote[]): Remote[] {
  const terms = termsOf(rule.labels)
  if (terms === undefined) return []
  const any = (globs: readonly string[], text: string) => globs.length === 0 || globs.some((glob) => matches(glob, text))
  return secrets.filter((secret) => {
    const byType = rule.types.includes(secret.type)
    if (secret.leftOut && (!byType || leftOutNamespaces.includes(secret.namespace))) return false
    return (rule.types.length === 0 || byType) && any(rule.namespaces, secret.namespace) && any(rule.names, secret.name) && terms.every((holds) => holds(secret.labels ?? {}))
  })
}

/** What is sent. */
export function selectionOf(choice: Choice): Selection {
  const { all, namespaces, secrets } = choice
  return { all: all || undefined, namespaces: namespaces.size > 0 ? [...namespaces].sort() : undefined, secrets: secrets.size > 0 ? [...secrets].sort() : undefined }
}

export function ruleOf({ namespaces, names, labels, types }: RuleDraft): Rule {
  return { namespaces: [...namespaces], names: [...names], labels: labels.trim() || undefined, types: [...types] }
}

/** The server's limits; beyond them a rule, or everything, is the way. */
export function tooMuch({ namespaces, secrets }: Choice): string | undefined {
  if (namespaces.size > 1000) return 'More than 1,000 namespaces are picked. Choose everything, or use a rule.'
  if (secrets.size > 5000) return 'More than 5,000 Secrets are picked singly. Pick their namespaces, or use a rule.'
  return undefined
}

const many = (n: number, one: string, more: string) => `${count(n)} ${n === 1 ? one : more}`

/** What is chosen, in one sentence. `later` says what is chosen beyond the Secrets of now. */
export function sentence(chosen: readonly Remote[], later: string | undefined): string {
  if (chosen.length === 0) return later ? `No Secret of now, but ${later}.` : 'Nothing is chosen.'
  const namespaces = new Set(chosen.map(({ namespace }) => namespace)).size
  const here = chosen.filter(({ fetched }) => fetched).length
  const known = here === 0 ? '' : here === chosen.length ? (here === 1 ? '; it is here already' : '; all are here already') : `; ${count(here)} of them ${here === 1 ? 'is' : 'are'} here already`
  return `${many(chosen.length, 'Secret', 'Secrets')} in ${many(namespaces, 'namespace', 'namespaces')} will be imported and watched${later ? `, and ${later}` : ''}${known}.`
}

/** What a choice takes in beyond the Secrets of now. */
export function laterOf({ all, namespaces }: Choice): string | undefined {
  if (all) return 'every Secret that comes later'
  if (namespaces.size === 0) return undefined
  return namespaces.size === 1 ? `what comes later in ${[...namespaces][0]}` : `what comes later in ${count(namespaces.size)} namespaces`
}
