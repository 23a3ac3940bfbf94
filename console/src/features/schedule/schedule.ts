import type { StateOf } from '../../api/states'
import type { Schemas } from '../../app/api'
import { count } from '../../ui/format'

export type Scheduled = Schemas['Account']

/** The word for when an account is changed; undefined when it is never by itself. */
export function scheduleState({ nextAt, overdue }: Pick<Scheduled, 'nextAt' | 'overdue'>, now: number): StateOf<'schedule'> | undefined {
  if (overdue) return 'overdue'
  if (nextAt === undefined) return undefined
  return Date.parse(nextAt) <= now ? 'due' : 'planned'
}

/** How far the list looks: what is overdue is always in it. */
export const ranges = [
  { key: '', label: 'All' },
  { key: 'overdue', label: 'Overdue' },
  { key: '24h', label: 'Within 24 h' },
  { key: '7d', label: 'Within 7 d' },
  { key: '30d', label: 'Within 30 d' },
] as const

export type RangeKey = (typeof ranges)[number]['key']

/** The range that an address asks for; an unknown one is all. */
export function rangeOf(text: string | undefined): RangeKey {
  return ranges.find(({ key }) => key === text)?.key ?? ''
}

/** What the server is asked for a range. */
export function rangeQuery(range: RangeKey): { overdue?: true; within?: string } {
  if (range === 'overdue') return { overdue: true }
  return range === '' ? {} : { within: range }
}

/** What the list says as a whole: what is overdue first. */
export function summary(counts: Partial<Record<RangeKey, number>>): string {
  const [all = 0, overdue = 0, day = 0] = [counts[''], counts.overdue, counts['24h']]
  if (all === 0) return 'No account is to be changed by itself.'
  const soon = `${count(day - overdue)} due within 24 hours, ${count(all)} planned in all.`
  return overdue === 0 ? `Nothing is overdue; ${soon}` : `${count(overdue)} overdue; ${soon}`
}
