export type Side = 'mine' | 'theirs'

/** One field of an object that somebody else changed while it was being edited. No field of a secret is one. */
export interface Contested {
  key: string
  label: string
  /** As it was when the editing began, as it is typed here, and as it is stored now. */
  base: string
  mine: string
  theirs: string
}

/** The fields on which the two do not agree. */
export function contested(fields: readonly Contested[]): Contested[] {
  return fields.filter(({ mine, theirs }) => mine !== theirs)
}

/** What stands until the person chooses: what was typed here, and theirs where nothing was. */
export function firstSide({ base, mine }: Contested): Side {
  return mine === base ? 'theirs' : 'mine'
}
