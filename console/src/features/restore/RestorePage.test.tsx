import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { type Asked, drawPage, refuse } from '../resources/testPage'
import { endedLines } from './EndRestore'
import type { Restore, Restored } from './restore'
import { RestorePage } from './RestorePage'

afterEach(() => vi.unstubAllGlobals())

const account = (more: Partial<Restored>): Restored => ({ id: 'a1', name: 'orders-db/app', state: 'verified', tried: [], ...more })

const restored = (accounts: Restored[]): Restore => ({
  state: 'restored', seenIn: 'the file audit.head', foundAt: '2026-11-30T12:00:00Z', entries: 40, had: 55,
  counts: Object.fromEntries(accounts.map(({ state }) => [state, accounts.filter((other) => other.state === state).length])),
  accounts, witnesses: [{ cluster: 'prod-eu', entries: 55 }, { cluster: 'stage', entries: 0, problem: 'The connector may not write the object.' }], ended: [],
})

const open = [
  account({ id: 'a2', name: 'shop-prod/eu/token', state: 'unresolved', reason: 'The system refuses every value that is known.', cure: 'Set the password on the system.' }),
  account({ id: 'a3', name: 'legacy/report', state: 'undecided', reason: 'Another value stands in the Secret.' }),
]

const draw = (answer: (asked: Asked) => unknown, refused?: string[]) => drawPage({ route: '/restore', at: '/restore', page: RestorePage, answer, refused })

test('it says what was lost, and of which accounts the right value is not known', async () => {
  await draw(() => restored([...open, account({})]))
  expect(await screen.findByText(/of 2 it is not known which value is right/)).toBeTruthy()
  expect(screen.getByText('had 55 entries, has 40')).toBeTruthy()
  const rows = within(screen.getByRole('table')).getAllByRole('row')
  expect(rows).toHaveLength(4)
  expect(rows[1]?.textContent).toMatch(/unresolved.*shop-prod\/eu\/token.*refuses every value/)
  expect(within(rows[1] as HTMLElement).getByRole('link').getAttribute('href')).toBe('/resources/shop-prod%2Feu/accounts/token')
  expect(within(rows[3] as HTMLElement).queryByRole('button')).toBeNull()
  expect(screen.getByText(/The connector may not write the object/)).toBeTruthy()
  await expectAccessible()
})

test('an account is checked again by its button, all by the one above', async () => {
  const { asked } = await draw(() => restored(open))
  fireEvent.click(await screen.findByRole('button', { name: 'Check again: legacy/report' }))
  await waitFor(() => expect(asked.find(({ path }) => path === '/restore/check')?.body).toEqual({ accounts: ['a3'] }))
  await waitFor(() => expect(screen.getByRole('button', { name: 'Check all again' }).hasAttribute('data-loading')).toBe(false))
  fireEvent.click(screen.getByRole('button', { name: 'Check all again' }))
  await waitFor(() => expect(asked.filter(({ path }) => path === '/restore/check').at(-1)?.body).toEqual({ accounts: [] }))
})

test('it is ended after the number of what is not known was typed, with each of them', async () => {
  const { asked } = await draw(() => restored(open))
  fireEvent.click(await screen.findByRole('button', { name: 'End the restore…' }))
  const dialog = await screen.findByRole('dialog')
  const end = within(dialog).getByRole('button', { name: 'End the restore' })
  expect(end).toHaveProperty('disabled', true)
  fireEvent.change(within(dialog).getByRole('textbox'), { target: { value: '2' } })
  fireEvent.click(end)
  await waitFor(() => expect(asked.find(({ path }) => path === '/restore/accept')?.body).toEqual({ accounts: ['a2', 'a3'] }))
})

test('while accounts are to be checked it cannot be ended, and says why', async () => {
  await draw(() => restored([account({ state: 'to_check' }), account({ id: 'a4' })]))
  expect(await screen.findByText('1 of 2 accounts were checked; nothing is changed anywhere meanwhile.')).toBeTruthy()
  const end = screen.getByRole('button', { name: 'End the restore…' })
  expect(end.getAttribute('aria-disabled')).toBe('true')
  expect(end.getAttribute('aria-description')).toBe('1 account was not checked yet.')
})

test('where nothing was restored it says so, and what was ended before', async () => {
  await draw(() => ({ ...restored([]), state: 'normal', counts: {}, witnesses: [], ended: [{ foundAt: '2026-10-01T10:00:00Z', endedAt: '2026-10-01T11:00:00Z', endedBy: 'anna', entries: 7, had: 9 }] }))
  expect(await screen.findByText('The repository is as far as it ever was.')).toBeTruthy()
  expect(screen.getByText(/ended by/).textContent).toMatch(/anna.*had 9 entries and 7 were left/)
  expect(screen.queryByRole('button', { name: 'End the restore…' })).toBeNull()
  await expectAccessible()
})

test('who may not know is told whom to ask, and nothing is asked for; what fails can be asked again', async () => {
  const { asked } = await draw(() => ({}), ['restore.get'])
  expect(await screen.findByText(/Administrators and auditors may/)).toBeTruthy()
  expect(asked.filter(({ path }) => path === '/restore')).toEqual([])
})

test('a reading that fails says so', async () => {
  await draw(() => refuse(500, { title: 'The repository does not answer' }))
  expect(await screen.findByText('The repository does not answer')).toBeTruthy()
})

test('what is accepted is named, five of many', () => {
  const many = restored(Array.from({ length: 7 }, (_, i) => account({ id: `a${i}`, name: `db/app-${i}`, state: 'unresolved' })))
  expect(endedLines(many)[1]).toBe('Of 7 accounts the stored value is accepted though nobody knows whether it is right: db/app-0, db/app-1, db/app-2, db/app-3, db/app-4 and 2 more.')
})
