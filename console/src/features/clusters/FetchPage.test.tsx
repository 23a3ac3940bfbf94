import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import type { Remote } from './choice'
import { FetchPage } from './FetchPage'
import { linesOf } from './SecretTree'
import { type Answers, cluster, drawPage, refused } from './testing'

// jsdom lays nothing out; what is virtual draws nothing without a height.
beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

const remote = (namespace: string, name: string, part: Partial<Remote> = {}): Remote => ({ namespace, name, type: 'Opaque', keys: 1, createdAt: '2026-11-01T00:00:00Z', fetched: false, ...part })
const available = {
  items: [remote('shop', 'db', { fetched: true }), remote('shop', 'stripe'), remote('billing', 'tls', { type: 'kubernetes.io/tls' })],
  namespaces: [{ name: 'shop' }, { name: 'billing' }, { name: 'vault', problem: 'no right to list Secrets here' }],
}
const drawIt = (answers: Answers = {}, search = '') =>
  drawPage('/clusters/$cluster/fetch', FetchPage, `/clusters/prod-us/fetch${search}`, {
    'GET /clusters/prod-us': () => cluster(),
    'GET /clusters/c1': () => cluster(),
    'GET /clusters/c1/available': () => available,
    ...answers,
  })
const said = () => screen.getAllByRole('status').map(({ textContent }) => textContent).join(' ')
const keys = async (...names: string[]) => {
  for (const key of names) await act(async () => void fireEvent.keyDown(screen.getByRole('tree'), { key }))
}
const save = () => screen.getByRole<HTMLButtonElement>('button', { name: 'Save and fetch' })

test('the keyboard opens, picks and saves, and the sentence says what', async () => {
  const { asked, router } = await drawIt({ 'POST /clusters/c1/fetches': () => ({}) })
  await screen.findByRole('tree')
  expect(save().disabled).toBe(true)
  expect(said()).toContain('Nothing is chosen.')
  await keys('ArrowDown', 'ArrowRight', 'ArrowDown', ' ')
  expect(said()).toContain('1 Secret in 1 namespace will be imported and watched; it is here already.')
  expect(screen.getByRole('treeitem', { name: /^shop/ }).getAttribute('aria-checked')).toBe('mixed')
  await expectAccessible()
  await keys('Home', ' ')
  await act(async () => void fireEvent.click(save()))
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ namespaces: ['billing'], secrets: ['shop/db'] })
  await waitFor(() => expect(router.state.location.pathname).toBe('/clusters/prod-us'))
})

test('a namespace without the right says so and cannot be picked', async () => {
  await drawIt()
  expect(await screen.findByText('no right to list Secrets here')).toBeTruthy()
  await keys('End', ' ')
  expect(save().disabled).toBe(true)
})

test('a rule is previewed from what was read, and sent as a rule', async () => {
  const { asked } = await drawIt({ 'POST /clusters/c1/fetches': () => refused(409, 'fetch-running', { cure: 'Wait for it to end.' }) }, '?by=rule')
  await screen.findByText('match now', { exact: false })
  fireEvent.change(screen.getByLabelText('Labels'), { target: { value: 'a in (b)' } })
  expect(save().disabled).toBe(true)
  fireEvent.change(screen.getByLabelText('Labels'), { target: { value: '!=' } })
  expect(save().disabled).toBe(true)
  fireEvent.change(screen.getByLabelText('Labels'), { target: { value: '' } })
  expect(said()).toContain('3 Secrets in 2 namespaces will be imported and watched, and what comes later and matches; 1 of them is here already.')
  await act(async () => void fireEvent.click(save()))
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ rule: { namespaces: [], names: [], types: [] } })
  expect((await screen.findByRole('alert')).textContent).toContain('Wait for it to end.')
})

test('while one goes on, another is not offered', async () => {
  const busy = { id: 'f', clusterId: 'c1', kind: 'fetch' as const, state: 'running' as const, actor: 'anna', createdAt: '2026-11-01T00:00:00Z', total: 9, added: 1, changed: 0, unchanged: 0, gone: 0, skipped: 0 }
  await drawIt({ 'GET /clusters/prod-us': () => cluster({ fetch: busy }), 'GET /clusters/c1': () => cluster({ fetch: busy }) })
  await screen.findByRole('tree')
  expect(save().getAttribute('aria-disabled')).toBe('true')
})

test('10,000 Secrets in 500 namespaces draw a screenful', async () => {
  const items = Array.from({ length: 10_000 }, (_, i) => remote(`ns-${String(i % 500).padStart(3, '0')}`, `secret-${i}`))
  await drawIt({ 'GET /clusters/c1/available': () => ({ items, namespaces: [] }) })
  await screen.findByRole('tree')
  expect(screen.getAllByRole('treeitem').length).toBeLessThan(60)
  await act(async () => void fireEvent.click(screen.getByLabelText(/Everything/)))
  expect(said()).toContain('10,000 Secrets in 500 namespaces')
})

test('only open namespaces show their Secrets', () => {
  const groups = [{ name: 'a', secrets: [remote('a', 'x')] }, { name: 'b', secrets: [] }]
  expect(linesOf(groups, () => true).map(({ kind }) => kind)).toEqual(['namespace', 'secret', 'namespace'])
  expect(linesOf(groups, () => false)).toHaveLength(2)
})
