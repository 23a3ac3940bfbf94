import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { session } from '../../test/page'
import { drawPage as drawAs } from '../../test/page'
import { expectAccessible } from '../../test/render'
import { policy, scheduled } from '../policies/fixtures'
import { type Asked, drawPage, page, refuse } from '../resources/testPage'
import { turnLines } from './OneAccount'
import { rangeOf, scheduleState, summary } from './schedule'
import { SchedulePage } from './SchedulePage'

afterEach(() => vi.unstubAllGlobals())

const overdue = scheduled({ id: 'a2', name: 'billing', overdue: true, nextAt: '2026-01-04T19:00:00Z', can: { reset: { allowed: false, reason: 'A reset of this account is under way.' } } })
const totals: Record<string, number> = { overdue: 1, '24h': 3, '7d': 5, '30d': 14 }
const answer = (items: unknown[] = [overdue, scheduled()]) => ({ method, path, query }: Asked): unknown => {
  if (path === '/policies') return { items: [policy()] }
  if (path === '/schedule' && query.get('limit') === '1') return page([], { total: totals[query.get('overdue') === 'true' ? 'overdue' : (query.get('within') ?? '')] ?? 14 })
  if (path === '/schedule') return page(items)
  return method === 'POST' ? { id: 'run1' } : undefined
}
const at = (address = '/schedule', by: (asked: Asked) => unknown = answer(), refused?: string[]) => drawPage({ route: '/schedule', at: address, page: SchedulePage, answer: by, refused })

test('the words of a schedule', () => {
  const now = Date.parse('2026-12-01T00:00:00Z')
  expect(scheduleState({ overdue: true }, now)).toBe('overdue')
  expect(scheduleState({ nextAt: '2026-11-30T00:00:00Z' }, now)).toBe('due')
  expect(scheduleState({ nextAt: '2026-12-30T00:00:00Z' }, now)).toBe('planned')
  expect(scheduleState({}, now)).toBeUndefined()
  expect(summary({ '': 14, overdue: 1, '24h': 3 })).toBe('1 overdue; 2 due within 24 hours, 14 planned in all.')
  expect(summary({ '': 14, overdue: 0, '24h': 3 })).toBe('Nothing is overdue; 3 due within 24 hours, 14 planned in all.')
  expect(summary({ '': 0 })).toBe('No account is to be changed by itself.')
  expect(rangeOf('next year')).toBe('')
  expect(turnLines({ name: 'app', resourceName: 'db', policy: 'prod', mappings: { in_sync: 1 } })[1]).toContain('its 1 mapped key')
})

test('what is due when, which rule says so, and how many in each range', async () => {
  await at()
  const rows = await screen.findAllByRole('row')
  expect((await screen.findByText('billing')).closest('[role=row]')?.textContent).toMatch(/overdue.*billing on orders-db.*prod.*every 30d/)
  expect(rows.length).toBeGreaterThan(1)
  expect(await screen.findByText('1 overdue; 2 due within 24 hours, 14 planned in all.')).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Within 7 d 5' })).toBeTruthy()
  await expectAccessible()
})

test('range and filter stand in the address and are sent', async () => {
  const { asked, router } = await at('/schedule?policy=prod&range=24h')
  await screen.findByText('billing')
  const sent = asked.filter(({ path, query }) => path === '/schedule' && query.get('limit') !== '1')[0]
  expect([sent?.query.get('policy'), sent?.query.get('within'), sent?.query.get('overdue')]).toEqual(['prod', '24h', null])
  fireEvent.click(screen.getByRole('button', { name: 'Overdue 1' }))
  await waitFor(() => expect(router.state.location.href).toBe('/schedule?policy=prod&range=overdue'))
  await waitFor(() => expect(asked.some(({ path, query }) => path === '/schedule' && query.get('overdue') === 'true' && query.get('limit') !== '1')).toBe(true))
})

test('an account of the list says which rule, in both zones, and can be turned now', async () => {
  const { asked, router } = await at('/schedule?open=a1')
  const drawer = within(await screen.findByRole('dialog'))
  expect(await drawer.findByText(/Fri 4 Dec 20:00 .*\(Europe\/Berlin\)/)).toBeTruthy()
  expect(drawer.getByText('It matches the rule postgresql/prod-*/*')).toBeTruthy()
  fireEvent.click(drawer.getByRole('button', { name: 'Turn now…' }))
  const question = within(await screen.findByRole('dialog', { name: 'Turn app_rw' }))
  expect(question.getByText(/this begins at once/)).toBeTruthy()
  fireEvent.click(question.getByRole('button', { name: 'Turn app_rw' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs/run1'))
  expect(asked.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body])).toEqual([['/accounts/a1/reset', {}]])
})

test('what cannot be turned says why', async () => {
  await at('/schedule?open=a2')
  const button = await screen.findByRole('button', { name: 'Turn now…' })
  expect(button.getAttribute('aria-description')).toBe('A reset of this account is under way.')
})

test('an empty schedule, no match, no rights and a failure each say their own', async () => {
  const first = await at('/schedule', answer([]))
  expect(await screen.findByText('Nothing is planned')).toBeTruthy()
  first.unmount()
  const none = await at('/schedule?policy=other', answer([]))
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  none.unmount()
  const user = session({ user: { ...session().user, role: 'user' }, can: { 'policy.list': { allowed: false, reason: 'Your role does not allow it.' } } })
  const uma = await drawAs({ route: '/schedule', at: '/schedule', page: SchedulePage, answer: answer([]), who: user })
  expect(await screen.findByText('You have no grant for any account that is changed by itself')).toBeTruthy()
  expect(uma.asked.some(({ path }) => path === '/policies')).toBe(false)
  uma.unmount()
  await at('/schedule', () => refuse(500, { title: 'The repository does not answer' }))
  expect(await screen.findByText('The repository does not answer')).toBeTruthy()
})
