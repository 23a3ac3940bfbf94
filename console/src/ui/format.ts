/** Where absolute times are shown: the browser's zone, or UTC. */
export type Zone = 'browser' | 'utc'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** "4 min ago" or "in 3 h" within 7 days, else undefined. Times are milliseconds. */
export function relative(at: number, now: number): string | undefined {
  const ms = Math.abs(now - at)
  if (ms >= 7 * day) return undefined
  if (ms < 5000) return 'now'
  const amount =
    ms < minute ? `${Math.floor(ms / 1000)} s`
    : ms < hour ? `${Math.floor(ms / minute)} min`
    : ms < day ? `${Math.floor(ms / hour)} h`
    : `${Math.floor(ms / day)} d`
  return at <= now ? `${amount} ago` : `in ${amount}`
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Making a format takes far longer than using it, and a list shows hundreds of times. */
function formatOf(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options)
  let format = formats.get(key)
  if (format === undefined) formats.set(key, (format = new Intl.DateTimeFormat('en-GB', options)))
  return format
}

/** "12 Nov 14:02 CET"; with the year when it is not this one. */
export function absolute(at: number, zone: Zone, options: { seconds?: boolean; now?: number } = {}): string {
  const date = new Date(at)
  const timeZone = zone === 'utc' ? 'UTC' : undefined
  const part = (format: Intl.DateTimeFormatOptions) => formatOf({ timeZone, ...format }).format(date)
  const year = part({ year: 'numeric' })
  const thisYear = formatOf({ timeZone, year: 'numeric' }).format(options.now ?? Date.now())
  const calendar = part({ day: 'numeric', month: 'short' }) + (year === thisYear ? '' : ` ${year}`)
  const clock = part({ hour: '2-digit', minute: '2-digit', second: options.seconds ? '2-digit' : undefined, hourCycle: 'h23' })
  const name = formatOf({ timeZone, timeZoneName: 'short' })
    .formatToParts(date)
    .find((p) => p.type === 'timeZoneName')?.value
  return `${calendar} ${clock} ${name ?? 'UTC'}`
}

/** "5 min 20 s": the two largest units. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  const parts = [
    [Math.floor(s / 86400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ] as const
  const first = parts.findIndex(([n]) => n > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ')
}

/** The text with a capital letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** The text with a capital letter, unless it begins with a name, and a full stop, unless it ends in a mark or in what could be a path, a command or an address. */
export function sentence(text: string): string {
  const words = text.split(/\s/)
  const [first = '', last = ''] = [words[0], words.at(-1)]
  const begun = /[._/:-]/.test(first) ? text : capital(text)
  return last === '' || /[.!?:…]$/.test(last) || /[/=@.-]/.test(last) ? begun : `${begun}.`
}

/** "4,812". */
export function count(n: number): string {
  return String(n).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** "12.4 kB": sizes of files. Never of a single key, whose exact size is a password's length. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`
  if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}

/** "≤ 64 B": the size of a single key, in steps. */
export function keySize(n: number): string {
  for (const step of [64, 256]) if (n <= step) return `≤ ${step} B`
  for (let kb = 1; kb <= 1024; kb *= 4) if (n <= kb * 1024) return `≤ ${kb} kB`
  return '> 1 MB'
}

/** The last six of an id, whose start is only the clock. */
export function shortId(id: string): string {
  return id.slice(-6)
}

/** "payment-…-credentials": a long name cut in the middle, to at most `max` characters. */
export function middle(name: string, max: number): string {
  const letters = Array.from(name)
  if (letters.length <= max) return name
  const end = Math.floor((max - 1) / 2)
  return `${letters.slice(0, max - 1 - end).join('')}…${letters.slice(letters.length - end).join('')}`
}
