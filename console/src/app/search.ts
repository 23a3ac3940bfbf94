/** A query as written in the URL: plain values, several for "or". */
export type Search = Record<string, string | string[]>

/** Reads `?key=value`; a repeated key gives a list. Every value stays text. */
export function parseSearch(text: string): Search {
  const out: Search = Object.create(null) as Search
  for (const [key, value] of new URLSearchParams(text)) {
    const known = out[key]
    out[key] = known === undefined ? value : [known, value].flat()
  }
  return { ...out }
}

/** Writes `?key=value`, sorted, so that equal filters have equal addresses. */
export function stringifySearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams()
  for (const key of Object.keys(search).sort()) {
    for (const value of [search[key]].flat().filter((v) => v !== undefined && v !== null && v !== '').map(String).sort()) out.append(key, value)
  }
  // Globs and lists stay readable.
  const text = out.toString().replaceAll('%2C', ',').replaceAll('%2F', '/').replaceAll('%3A', ':')
  return text === '' ? '' : `?${text}`
}
