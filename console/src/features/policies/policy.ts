import { type Api, bodyOf, type Schemas, useApi } from '../../app/api'
import { keys } from '../../api/keys'
import { count } from '../../ui/format'
import { type Named, useNamed, useRead } from '../resources/named'

export type Policy = Schemas['Policy']
export type Rotation = Schemas['PolicyRotation']
export type Password = Schemas['PolicyPassword']
export type Assignment = Schemas['PolicyAssignment']

export const policyCrumbs = [{ label: 'Policies', to: '/policies' }]

export const policyPath = (name: string) => `/policies/${encodeURIComponent(name)}`

export async function readPolicy(api: Api, policy: string, signal?: AbortSignal): Promise<Policy> {
  return bodyOf(await api.GET('/api/v1/policies/{policy}', { params: { path: { policy } }, signal }))
}

/** The policy that an address names. */
export function usePolicy(name: string): Named<Policy> {
  const api = useApi()
  const get = (policy: string, signal: AbortSignal) => readPolicy(api, policy, signal)
  return useNamed<Policy>({ kind: 'policy', name: { name }, find: (signal) => get(name, signal), read: get })
}

/** Every policy, by name; asked for only by who may read them. */
export function usePolicies(enabled = true): Named<Policy[]> {
  const api = useApi()
  return useRead(keys.list('policy', { all: 'yes' }), async (signal) => bodyOf(await api.GET('/api/v1/policies', { signal })).items ?? [], enabled)
}

const joined = (parts: readonly (string | undefined | false)[]) => parts.filter(Boolean).join(', ')

const neverText = 'never by itself'

/** When values are changed, in a clause: "every 30d, at most 90d old, 8h after a reveal". */
export function turnsText({ every, cron, maxAge, onReveal }: Rotation): string {
  const when = joined([every && `every ${every}`, cron && `cron ${cron}`, maxAge && `at most ${maxAge} old`, onReveal && `${onReveal} after a reveal`])
  return when === '' ? neverText : when
}

/** The same as the beginning of a sentence. */
export function changedText(rotation: Rotation): string {
  const turns = turnsText(rotation)
  return turns === neverText ? 'No value is changed by itself' : `Values are changed ${turns}`
}

/** When they may be changed: "Fri 20:00-Sat 04:00 (Europe/Berlin)". */
export function windowsText({ windows, zone }: Rotation): string {
  return (windows ?? []).length === 0 ? 'at any time' : `${(windows ?? []).join(', ')} (${zone || 'UTC'})`
}

/** What a value looks like: "32 characters of lower, digits" or "5 words". */
export function valueText({ length, alphabets, words, separator }: Password): string {
  if (words !== undefined && words > 0) return `${words} words, joined by ${separator ?? '-'}`
  const from = alphabets === undefined || alphabets === null || alphabets.length === 4 || alphabets.length === 0 ? 'all classes' : alphabets.join(', ')
  return `${length ?? 32} characters of ${from}`
}

/** The same in short: "32 characters" or "5 words". */
export function sizeText({ length, words }: Password): string {
  return words !== undefined && words > 0 ? `${words} words` : `${length ?? 32} characters`
}

/** "about 194 bits". */
export const bitsText = (bits: number) => `about ${Math.floor(bits)} bits`

/** How often a login is tried. */
export function heartbeatText({ heartbeat }: Rotation): string {
  return heartbeat === 'off' ? 'no login is tried' : `a login is tried ${heartbeat ? `every ${heartbeat}` : 'each day'}`
}

/** How often the whole way of a run is tried. */
export function rehearsalText({ rehearse }: Rotation): string {
  return rehearse === 'off' ? 'never' : rehearse ? `every ${rehearse}` : 'each day'
}

/** In which order clusters get a new value; undefined when all go at once. */
export function wavesText({ canary, waveSize, wavePause }: Rotation): string | undefined {
  const first = (canary ?? []).length > 0 && `first ${(canary ?? []).join(', ')}`
  const text = joined([first, waveSize && `${waveSize} of the others at a time`, (first || waveSize) && wavePause && (wavePause === 'ask' ? 'each wave waits until somebody resumes the run' : `${wavePause} between waves`)])
  return text === '' ? undefined : text
}

/** When and in which order workloads are restarted; undefined when all are at once. */
export function restartsText({ restartOrder, restartWindows }: Rotation): string | undefined {
  const order = (restartOrder ?? []).length > 0 && `in the order ${(restartOrder ?? []).join(', ')}`
  const windows = (restartWindows ?? []).length > 0 && `only ${(restartWindows ?? []).join(', ')}`
  const text = joined([order, windows])
  return text === '' ? undefined : text
}

/** The whole policy in one sentence, for its head and for the list. */
export function inWords({ rotation, password, entropyBits }: Pick<Policy, 'rotation' | 'password' | 'entropyBits'>): string {
  return `${changedText(rotation)}; ${heartbeatText(rotation)}. A value is ${valueText(password)}, ${bitsText(entropyBits)}.`
}

/** How many accounts follow it, in one sentence. */
export function followersText({ accounts, overdue = 0 }: Pick<Policy, 'accounts' | 'overdue'>): string {
  if (accounts === 0) return 'No account follows it.'
  const many = `${count(accounts)} ${accounts === 1 ? 'account follows' : 'accounts follow'} it`
  return overdue === 0 ? `${many}.` : `${many}; ${count(overdue)} ${overdue === 1 ? 'is' : 'are'} overdue.`
}

const byWord: Record<Assignment['by'], string> = { account: 'Account', resource: 'Every account of resource', label: 'Accounts mapped to a Secret labelled', rule: 'Accounts that match' }

/** What an assignment names, in two parts: the words and the name. */
export function assignmentParts({ by, pattern, name }: Assignment): { words: string; name: string } {
  return { words: byWord[by], name: name || pattern }
}

/** An instant in a policy's zone, with its weekday: "Sun 29 Nov 03:30 CET". A zone that this browser does not know gives UTC. */
export function inZone(at: string, zone: string | undefined, now = Date.now()): string {
  const date = new Date(at)
  const of = (timeZone: string) => {
    const year = (when: Date | number) => new Intl.DateTimeFormat('en-GB', { timeZone, year: 'numeric' }).format(when)
    const parts = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' }).formatToParts(date)
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((p) => p.type === type)?.value ?? ''
    const calendar = `${part('weekday')} ${part('day')} ${part('month')}${year(date) === year(now) ? '' : ` ${year(date)}`}`
    return `${calendar} ${part('hour')}:${part('minute')} ${part('timeZoneName')}`
  }
  try {
    return of(zone || 'UTC')
  } catch {
    return of('UTC')
  }
}
