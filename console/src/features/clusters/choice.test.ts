import { expect, test } from 'vitest'
import {
  chosenByRule, emptyRule, filtered, groupsOf, isChosen, laterOf, matches, nothing, type Remote, selectionOf, sentence, termsOf, tickOf, tooMuch, turnNamespace, turnSecret, typesOf,
} from './choice'

const remote = (namespace: string, name: string, part: Partial<Remote> = {}): Remote => ({
  namespace, name, type: 'Opaque', keys: 1, createdAt: '2026-11-01T00:00:00Z', fetched: false, ...part,
})
const items = [
  remote('shop', 'stripe'),
  remote('shop', 'db', { fetched: true, labels: { team: 'pay' } }),
  remote('shop', 'sh.helm.v1', { type: 'helm.sh/release.v1', leftOut: 'Helm’s records of releases are left out' }),
  remote('billing', 'tls', { type: 'kubernetes.io/tls' }),
  remote('kube-system', 'boot', { leftOut: 'The namespace kube-system is left out' }),
]
const groups = groupsOf({ items, namespaces: [{ name: 'vault', problem: 'no right to list Secrets here' }, { name: 'shop' }] })
const group = (name: string) => groups.find((one) => one.name === name) ?? groups[0] ?? { name, secrets: [] }
const find = (name: string) => items.find((one) => one.name === name) ?? remote('', '')

test('Secrets stand by namespace, and a namespace without the right stays', () => {
  expect(groups.map(({ name, secrets }) => [name, secrets.map((s) => s.name)])).toEqual([
    ['billing', ['tls']],
    ['kube-system', ['boot']],
    ['shop', ['db', 'sh.helm.v1', 'stripe']],
    ['vault', []],
  ])
  expect(typesOf(items)[0]).toEqual({ value: 'Opaque', count: 3 })
})

test('a namespace is chosen whole, without what is left out; taking one out makes the rest single', () => {
  const whole = turnNamespace(nothing, groups, group('shop'))
  expect(selectionOf(whole)).toEqual({ namespaces: ['shop'] })
  expect([tickOf(whole, group('shop')), isChosen(whole, find('sh.helm.v1'))]).toEqual(['on', false])
  const less = turnSecret(whole, groups, find('db'))
  expect(selectionOf(less)).toEqual({ secrets: ['shop/stripe'] })
  expect(tickOf(less, group('shop'))).toBe('some')
  expect(tickOf(turnNamespace(less, groups, group('shop')), group('shop'))).toBe('on')
  expect(selectionOf(turnNamespace(whole, groups, group('shop')))).toEqual({})
})

test('what is left out is chosen singly, and stays beside its namespace', () => {
  const helm = turnSecret(turnNamespace(nothing, groups, group('shop')), groups, find('sh.helm.v1'))
  expect(selectionOf(helm)).toEqual({ namespaces: ['shop'], secrets: ['shop/sh.helm.v1'] })
  expect(selectionOf(turnSecret(helm, groups, find('sh.helm.v1')))).toEqual({ namespaces: ['shop'] })
})

test('everything, but one namespace, is all others by name', () => {
  const all = { ...nothing, all: true }
  expect(selectionOf(all)).toEqual({ all: true })
  expect(selectionOf(turnNamespace(all, groups, group('shop')))).toEqual({ namespaces: ['billing', 'kube-system', 'vault'] })
})

test('under a filter a box means what is shown, and never more', () => {
  const shown = filtered(groups, { tokens: [], text: 'str' })
  expect(shown.map(({ name }) => name)).toEqual(['shop'])
  const some = turnNamespace(nothing, groups, shown[0] ?? group('shop'))
  expect(selectionOf(some)).toEqual({ secrets: ['shop/stripe'] })
  expect(selectionOf(turnNamespace(some, groups, shown[0] ?? group('shop')))).toEqual({})
  const whole = turnNamespace(nothing, groups, group('shop'))
  expect(selectionOf(turnNamespace(whole, groups, shown[0] ?? group('shop')))).toEqual({ secrets: ['shop/db'] })
  expect(filtered(groups, { tokens: [{ key: 'type', value: 'tls' }], text: '' }).map(({ name }) => name)).toEqual(['billing'])
  expect(filtered(groups, { tokens: [{ key: 'ns', value: 'v*' }], text: '' }).map(({ name }) => name)).toEqual(['vault'])
})

test.each([
  ['*', 'x', true], ['db-*', 'db-1', true], ['db-*', 'adb-1', false], ['a?c', 'abc', true], ['a?c', 'ac', false],
  ['*a*b', 'xaxxb', true], ['*a*b', 'xaxxbc', false], ['', '', true], ['', 'a', false], ['a**', 'a', true], ['[a]', 'a', false],
])('%s matches %s: %s', (glob, text, is) => expect(matches(glob, text)).toBe(is))

test('labels are read as the server reads them', () => {
  const holds = (text: string, labels: Record<string, string>) => termsOf(text)?.every((term) => term(labels))
  expect(holds('team=pay, tier!=low, x', { team: 'pay', x: '' })).toBe(true)
  expect(holds('team==pay', { team: 'pay' })).toBe(true)
  expect(holds('tier!=low', { tier: 'low' })).toBe(false)
  expect(termsOf('a in (b)')).toBeUndefined()
  expect(termsOf('=b')).toBeUndefined()
  expect(termsOf('')).toEqual([])
})

test('a rule reaches a left out type by its name, but never a left out namespace', () => {
  const names = (part: Partial<typeof emptyRule>) => chosenByRule({ ...emptyRule, ...part }, items).map(({ name }) => name)
  expect(names({})).toEqual(['stripe', 'db', 'tls'])
  expect(names({ types: ['helm.sh/release.v1'] })).toEqual(['sh.helm.v1'])
  expect(names({ namespaces: ['kube-*'], types: ['Opaque'] })).toEqual([])
  expect(names({ namespaces: ['sh*'], names: ['*b', 'x'] })).toEqual(['db'])
  expect(names({ labels: 'team=pay' })).toEqual(['db'])
  expect(names({ labels: 'a in (b)' })).toEqual([])
})

test('what is chosen is one sentence, also with what comes later', () => {
  expect(sentence([], undefined)).toBe('Nothing is chosen.')
  expect(sentence([find('stripe')], undefined)).toBe('1 Secret in 1 namespace will be imported and watched.')
  expect(sentence([find('stripe'), find('db'), find('tls')], 'every Secret that comes later')).toBe(
    '3 Secrets in 2 namespaces will be imported and watched, and every Secret that comes later; 1 of them is here already.',
  )
  expect(laterOf(turnNamespace(nothing, groups, group('shop')))).toBe('what comes later in shop')
  expect(laterOf({ ...nothing, secrets: new Set(['a/b']) })).toBeUndefined()
  expect(tooMuch({ ...nothing, secrets: new Set(Array.from({ length: 5001 }, (_, i) => `a/${i}`)) })).toMatch(/5,000/)
})
