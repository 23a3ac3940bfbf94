import type { Problem } from '../../api/problem'
import type { Schemas } from '../../app/api'

type Field = Schemas['Field']

/** What the server says of one field, for the place under it. */
export function fieldError(problem: Problem | undefined, name: string): string | undefined {
  return problem?.fields.errors?.find(({ location }) => location.split(/[./]/).at(-1) === name)?.message
}

/** The settings that differ from what a type takes when nothing is given. */
export function settingsOf(fields: readonly Field[], text: (name: string) => string): Record<string, string> {
  return Object.fromEntries(
    fields
      .map(({ name, default: usual = '' }): [string, string, string] => [name, text(name).trim(), usual])
      .filter(([, given, usual]) => given !== '' && given !== usual)
      .map(([name, given]) => [name, given]),
  )
}
