import type { Schemas } from '../../app/api'

/** How the new value is found. */
export type ResetWay = 'generate' | 'type' | 'version'

export const alphabets = ['lower', 'upper', 'digits', 'symbols'] as const
export type Alphabet = (typeof alphabets)[number]

/** How a value is generated, as the form holds it. */
export interface Recipe {
  length: number
  from: readonly Alphabet[]
  /** Of these at least one must appear. */
  must: readonly Alphabet[]
  /** Characters that must not; undefined leaves those that trip shells and URLs to the server. */
  exclude: string | undefined
}

/** The server's default: 32 characters, one of each alphabet at least. */
export const standardRecipe: Recipe = { length: 32, from: alphabets, must: alphabets, exclude: undefined }

const same = (a: readonly Alphabet[], b: readonly Alphabet[]) => a.length === b.length && a.every((one) => b.includes(one))

/** The policy to send; undefined when it is the server's own default. */
export function policyOf(recipe: Recipe): Schemas['PasswordPolicy'] | undefined {
  const { length, from, must, exclude } = recipe
  if (length === standardRecipe.length && same(from, alphabets) && same(must, alphabets) && exclude === undefined) return undefined
  const required = must.filter((one) => from.includes(one))
  return {
    length,
    alphabets: from.length === alphabets.length ? undefined : [...from],
    exclude,
    require: Object.fromEntries(alphabets.map((one) => [one, required.includes(one) ? 1 : 0])),
  }
}
