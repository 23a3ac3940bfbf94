import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { type Asked, drawPage, page, refuse } from '../resources/testPage'
import type { Account } from './account'
import { AccountPage } from './AccountPage'
import { account, answers } from './fixtures'
import { strategiesFor, strategyLabel, strategyText } from './strategy'

afterEach(() => vi.unstubAllGlobals())

const patches = (asked: readonly Asked[]) => asked.filter(({ method }) => method === 'PATCH').map(({ path, body, headers }) => [path, body, headers.get('If-Match')])
const at = (answer: (asked: Asked) => unknown) => drawPage({ route: '/resources/$resource/accounts/$account', at: '/resources/orders-db/accounts/app_rw', page: AccountPage, answer })

test('a strategy is told in words, and only what the type can is offered', () => {
  expect(strategiesFor('PostgreSQL', false).map(({ value, means }) => [value, means.split('.')[0]])).toEqual([
    ['', 'For PostgreSQL: one value at a time'], ['single', 'The old value ends when the new one is set'],
  ])
  expect(strategiesFor('Redis', true).map(({ value }) => value)).toEqual(['', 'single', 'overlap'])
  expect(strategyLabel('')).toBe('best the type can')
  expect(strategyText('', { change: true, overlap: true })).toBe('A reset keeps both values valid until every reader has the new one.')
  expect(strategyText('single', { change: true, overlap: true })).toBe('A reset takes one value at a time.')
  expect(strategyText('', { change: false, overlap: false })).toBeUndefined()
  expect(strategyText('', undefined)).toBeUndefined()
})

const redis = { 'GET /types': { items: [{ type: 'postgresql', name: 'Redis', description: '', minLength: 8, verify: true, change: true, reconcile: true, overlap: true }] } }

/** A server with one account, which is changed under its revision alone. */
function accountServer(more: Record<string, unknown> = {}) {
  const server = {
    stored: account as Account,
    answer: (one: Asked): unknown => {
      if (one.method !== 'PATCH') return answers({ ...more, 'GET /accounts': page([server.stored]), 'GET /accounts/a1': server.stored })(one)
      if (one.headers.get('If-Match') !== `"${server.stored.rev}"`) return refuse(412, { type: 'stale', title: 'It has changed' })
      server.stored = { ...server.stored, ...(one.body as object), rev: server.stored.rev + 1 }
      return server.stored
    },
  }
  return server
}

async function editStrategy() {
  fireEvent.click(await screen.findByRole('button', { name: 'More for app_rw' }))
  fireEvent.click(await screen.findByRole('menuitem', { name: 'Strategy…' }))
  return within(await screen.findByRole('dialog', { name: 'Strategy of app_rw' }))
}

test('the account says how it is reset, and another strategy is stored under its revision', async () => {
  const server = accountServer(redis)
  const { asked } = await at(server.answer)
  expect(await screen.findByText(/A reset keeps both values valid until every reader has the new one\.$/)).toBeTruthy()
  const dialog = await editStrategy()
  expect(dialog.getAllByRole('radio')).toHaveLength(3)
  expect(dialog.getByRole('radio', { name: 'Best the type can' })).toHaveProperty('checked', true)
  await expectAccessible()
  fireEvent.click(dialog.getByRole('radio', { name: 'One value at a time' }))
  fireEvent.click(dialog.getByRole('button', { name: 'Save the strategy' }))
  await waitFor(() => expect(patches(asked)).toEqual([['/accounts/a1', { strategy: 'single' }, '"7"']]))
  expect(await screen.findByText(/A reset takes one value at a time\.$/)).toBeTruthy()
})

test('a strategy that came second shows both and overwrites none', async () => {
  const server = accountServer(redis)
  const { asked } = await at(server.answer)
  await screen.findByText(/A reset keeps both/)
  const dialog = await editStrategy()
  fireEvent.click(dialog.getByRole('radio', { name: 'One value at a time' }))
  server.stored = { ...server.stored, strategy: 'overlap', rev: 8 }
  fireEvent.click(dialog.getByRole('button', { name: 'Save the strategy' }))
  expect(await dialog.findByRole('radio', { name: 'Keep mine one value at a time' })).toHaveProperty('checked', true)
  fireEvent.click(dialog.getByRole('radio', { name: 'Take theirs both values until every reader has the new one' }))
  fireEvent.click(dialog.getByRole('button', { name: 'Save the strategy' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  expect(patches(asked)).toHaveLength(1)
})

test('a type that takes one value at a time does not offer two', async () => {
  await at(accountServer().answer)
  await screen.findByText(/A reset takes one value at a time/)
  const dialog = await editStrategy()
  expect(dialog.getAllByRole('radio')).toHaveLength(2)
  expect(dialog.getByText('For PostgreSQL: one value at a time.')).toBeTruthy()
  fireEvent.click(dialog.getByRole('button', { name: 'Cancel' }))
  await waitFor(() => expect(document.activeElement?.getAttribute('aria-label')).toBe('More for app_rw'))
})

test('an account becomes a pair where its type knows what logins may do', async () => {
  const server = accountServer({ 'GET /types': { items: [{ ...redis['GET /types'].items[0], name: 'PostgreSQL', overlap: false, alternating: true }] } })
  const { asked } = await at(server.answer)
  await screen.findByText(/A reset takes one value at a time\.$/)
  const dialog = await editStrategy()
  fireEvent.click(dialog.getByRole('radio', { name: 'Two logins that take turns' }))
  fireEvent.change(dialog.getByLabelText('The other login'), { target: { value: 'app_ro' } })
  await expectAccessible()
  fireEvent.click(dialog.getByRole('button', { name: 'Save the strategy' }))
  await waitFor(() => expect(patches(asked)).toEqual([['/accounts/a1', { strategy: 'alternating', pair: 'app_ro' }, '"7"']]))
  expect(await screen.findByText(/A pair of logins:/)).toHaveProperty('textContent', 'A pair of logins: app_rw is in use, app_ro is the other.')
})

test('the version and the account say which login of a pair is meant', async () => {
  const server = accountServer({ 'GET /accounts/a1/versions': { items: [{ number: 4, stage: 'current', source: 'generated', actor: 'anna', login: 'app_ro', createdAt: '2026-11-20T00:00:00Z' }] } })
  server.stored = { ...server.stored, strategy: 'alternating', pair: 'app_ro', login: 'app_ro' }
  await at(server.answer)
  expect((await screen.findByText('v4')).closest('td')?.textContent).toBe('v4 of app_ro')
  expect(screen.getByText(/A pair of logins:/).textContent).toBe('A pair of logins: app_ro is in use, app_rw is the other.')
})
