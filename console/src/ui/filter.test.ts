import { expect, test } from 'vitest'
import { parseSearch, stringifySearch } from '../app/search'
import { filterFromSearch, filterText, filterToSearch, looksLikeValue, readTyped, suggestions, valueRefusal, withoutToken, withToken } from './filter'

const fields = [
  { key: 'state', label: 'State', values: [{ value: 'drift', count: 88 }, { value: 'in_sync', count: 9 }] },
  { key: 'ns', label: 'Namespace' },
  { key: 'changed', label: 'Changed' },
]

test.each(['shop', 'pay*', 'shop/db-credentials', 'app_rw@orders-db', 'sh.helm.release.v1.shop.v12', 'größe', '10.2.0.4:443'])('%s is a name', (text) => {
  expect(readTyped(` ${text} `, fields)).toEqual({ kind: 'text', text })
})

test.each(['hunter2!', 'two words', 'p&ss', '$ecret', 'Zx81kQ0pLm22', 'db.Zx81kQ0pLm22', 'postgres://u:p@h/db', 'x'.repeat(254), '"', '-----BEGIN'])('%s is refused', (text) => {
  expect(readTyped(text, fields)).toEqual({ kind: 'refused', why: valueRefusal })
})

test('tokens of known keys, with globs and ages; their values are looked at too', () => {
  expect(readTyped('state:drift', fields)).toEqual({ kind: 'token', token: { key: 'state', value: 'drift' } })
  expect(readTyped('changed:<7d', fields)).toEqual({ kind: 'token', token: { key: 'changed', value: '<7d' } })
  expect(readTyped('changed:-24h', fields).kind).toBe('token')
  expect(readTyped('ns:Zx81kQ0pLm22', fields)).toEqual({ kind: 'refused', why: valueRefusal })
  expect(readTyped('ns:a b', fields).kind).toBe('refused')
  expect(readTyped('state:', fields)).toMatchObject({ kind: 'refused', why: expect.stringContaining('state:drift') })
})

test('a filter goes through the URL and back; what is unknown or a value is dropped', () => {
  const filter = { tokens: [{ key: 'state', value: 'drift' }, { key: 'state', value: 'in_sync' }, { key: 'ns', value: 'pay*' }], text: 'db' }
  const url = stringifySearch(filterToSearch(filter))
  expect(url).toBe('?ns=pay*&q=db&state=drift&state=in_sync')
  expect(filterFromSearch(parseSearch(url), fields)).toEqual(filter)
  expect(filterFromSearch({ other: 'x', ns: 'p w!', q: 'hunter2!' }, fields)).toEqual({ tokens: [], text: '' })
  expect(filterText(filter)).toBe('state:drift state:in_sync ns:pay* db')
})

test('a token stands once', () => {
  const token = { key: 'ns', value: 'a' }
  expect(withToken(withToken([], token), { ...token })).toEqual([token])
  expect(withoutToken([token], { ...token })).toEqual([])
})

test('keys are offered first, then the values that are not chosen', () => {
  expect(suggestions('', fields, []).map((s) => s.text)).toEqual(['state:', 'ns:', 'changed:'])
  expect(suggestions('na', fields, []).map((s) => s.text)).toEqual(['ns:'])
  expect(suggestions('state:', fields, [{ key: 'state', value: 'drift' }])).toEqual([{ text: 'state:in_sync', label: 'in_sync', count: 9 }])
})

test('long names without a mixed run are names', () => {
  expect(looksLikeValue('payment-service-production-credentials-v2')).toBe(false)
})
