/** One field that the server did not accept. It never carries what was typed. */
export interface FieldProblem {
  location: string
  message: string
}

/** The members of a problem document (RFC 9457) that the console reads. */
export interface ProblemFields {
  type: string
  title: string
  status: number
  detail?: string
  /** Why it happened. */
  cause?: string
  /** What to do now. */
  cure?: string
  /** What was not changed. */
  unchanged?: string
  errors?: FieldProblem[]
  /** Seconds to wait before trying again. */
  retryAfter?: number
}

/** A refused or failed call. Every error that reaches a page is one of these. */
export class Problem extends Error {
  readonly fields: ProblemFields

  constructor(fields: ProblemFields) {
    super(fields.title)
    this.name = 'Problem'
    this.fields = fields
  }

  get status(): number {
    return this.fields.status
  }

  /** The last part of the type, such as "step-up-required". */
  get kind(): string {
    return this.fields.type.split(/[/:#]/).at(-1) ?? ''
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

function fieldProblems(value: unknown): FieldProblem[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return []
    const { location, message } = entry as Record<string, unknown>
    return [{ location: text(location) ?? '', message: text(message) ?? '' }]
  })
}

function seconds(header: string | null): number | undefined {
  if (header === null) return undefined
  const n = Number(header)
  if (Number.isFinite(n)) return Math.max(0, n)
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}

/** Reads a refused answer. An answer that is no problem document (a proxy's page) is named by its status alone. */
export async function problemOf(response: Response): Promise<Problem> {
  const fields: ProblemFields = {
    type: 'about:blank',
    title: `The server answered ${response.status}`,
    status: response.status,
    retryAfter: seconds(response.headers.get('Retry-After')),
  }
  if (/^application\/(problem\+)?json\b/.test(response.headers.get('Content-Type') ?? '')) {
    const body: unknown = await response.json().catch(() => undefined)
    if (typeof body === 'object' && body !== null) {
      const doc = body as Record<string, unknown>
      fields.type = text(doc['type']) ?? fields.type
      fields.title = text(doc['title']) ?? fields.title
      fields.detail = text(doc['detail'])
      fields.cause = text(doc['cause'])
      fields.cure = text(doc['cure'])
      fields.unchanged = text(doc['unchanged'])
      fields.errors = fieldProblems(doc['errors'])
    }
  }
  return new Problem(fields)
}

/** A call whose answer never came: whether the server acted is not known. */
export function lostConnection(wrote: boolean): Problem {
  return new Problem({
    type: 'connection-lost',
    title: wrote ? 'Not known yet: the answer was lost' : 'The server could not be reached',
    status: 0,
    cause: 'The connection to the server ended before its answer came.',
    cure: wrote ? 'Read the page again before you repeat this; it may have been done.' : 'Check your connection and try again.',
    unchanged: wrote ? undefined : 'Nothing was changed: this was only a reading.',
  })
}

/** A part of the console that did not load: the server is away, or has another version of the console by now. */
export function partMissing(): Problem {
  return new Problem({
    type: 'part-missing',
    title: 'This page could not be loaded',
    status: 0,
    cause: 'The server could not be reached, or it has a newer console.',
    cure: 'Check your connection, then reload the page.',
    unchanged: 'The server was not asked to change anything.',
  })
}

/** Turns anything thrown into a problem, so that no page shows a raw error. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem({
    type: 'console-error',
    title: 'This page failed',
    status: 0,
    cause: 'The console met a fault of its own.',
    cure: 'Reload the page. If it fails again, report it with the copied text.',
    unchanged: 'The server was not asked to change anything by this fault.',
  })
}
