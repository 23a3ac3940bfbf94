/** The kinds of object that events name. */
export type Kind =
  | 'cluster'
  | 'secret'
  | 'resource'
  | 'account'
  | 'mapping'
  | 'run'
  | 'policy'
  | 'conflict'
  | 'suggestion'
  | 'request'
  | 'grant'
  | 'finding'
  | 'audit'
  | 'user'
  | 'session'
  | 'group'
  | 'token'
  | 'fetch'
  | 'restore'
  | 'server'

/** A filter as it stands in the URL: a value, or several for "or". */
export type Filter = Readonly<Record<string, string | readonly string[] | undefined>>

// Names without a value and values in another order are the same filter.
function canonical(filter: Filter): [string, string[]][] {
  return Object.entries(filter)
    .map(([name, value]): [string, string[]] => [name, value === undefined ? [] : [value].flat().map(String)])
    .filter(([, values]) => values.length > 0)
    .map(([name, values]): [string, string[]] => [name, [...values].sort()])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Every query key of the console is made here. None may hold a value. */
export const keys = {
  one: (kind: Kind, id: string) => [kind, id] as const,
  lists: (kind: Kind) => [kind, 'list'] as const,
  list: (kind: Kind, filter: Filter = {}) => [kind, 'list', canonical(filter)] as const,
  counts: (kind: Kind, filter: Filter = {}) => [kind, 'counts', canonical(filter)] as const,
}
