import { expect, test } from 'vitest'
import { parseSearch, stringifySearch } from './search'

test('filters are plain, sorted and repeated for "or"', () => {
  const text = stringifySearch({ state: ['drift', 'conflict'], cluster: 'prod-eu', ns: 'pay*', gone: undefined, n: 4242 })
  expect(text).toBe('?cluster=prod-eu&n=4242&ns=pay*&state=conflict&state=drift')
  expect(parseSearch(text)).toEqual({ cluster: 'prod-eu', n: '4242', ns: 'pay*', state: ['conflict', 'drift'] })
  expect(stringifySearch({})).toBe('')
})

test('any text comes back as it was', () => {
  for (const value of ['a b', 'a+b', '100%', '&=?#', 'é/ü', '"4242"', '__proto__']) {
    expect(parseSearch(stringifySearch({ q: value }))).toEqual({ q: value })
  }
})
