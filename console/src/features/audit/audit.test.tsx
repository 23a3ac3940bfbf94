import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { drawPage, pageOf, session } from '../settings/testing'
import { type AuditEvent, fromField, logState, readSearch, toField } from './audit'
import { AuditPage } from './AuditPage'
import { EventPage } from './EventPage'

afterEach(() => vi.unstubAllGlobals())

const event = (part: Partial<AuditEvent> = {}): AuditEvent => ({
  id: '0190aaaa-0000-7000-8000-000000000001', seq: 41, at: '2026-11-12T13:02:11Z', actor: 'anna', actorId: '0190aaaa-0000-7000-8000-00000000000a', actorKind: 'user',
  action: 'account.reveal', kind: 'account', object: 'app_rw', objectId: '0190aaaa-0000-7000-8000-00000000000b', outcome: 'allowed', ...part,
})
const can = { verify: { allowed: true }, export: { allowed: true } }
const older = '0190aaaa-0000-7000-8000-0000000000ff'

test('an address is read; what is no time, no outcome and no cursor is dropped', () => {
  const read = readSearch({ actor: ['ben', 'anna'], outcome: 'maybe', from: '-24h', to: 'yesterday', before: 'x' })
  expect(read).toEqual({ filter: { text: '', tokens: [{ key: 'actor', value: 'anna' }] }, from: '-24h', to: undefined, before: undefined })
  expect(readSearch({ to: '2026-11-12T13:02:11Z' }).to).toBe('2026-11-12T13:02:11Z')
  expect(readSearch({ to: '2026-99-12T13:02:11Z' }).to).toBeUndefined()
})

test('what is picked is what is sent, to the second', () => {
  expect(fromField('2026-11-12T13:02:11', 'utc')).toBe('2026-11-12T13:02:11Z')
  expect(fromField('2026-11-12T13:02', 'utc')).toBe('2026-11-12T13:02:00Z')
  expect(fromField('', 'utc')).toBeUndefined()
  expect(toField('2026-11-12T13:02:11Z', 'utc')).toBe('2026-11-12T13:02:11')
  expect(fromField(toField('2026-07-12T13:02:11Z', 'browser'), 'browser')).toBe('2026-07-12T13:02:11Z')
})

test('a check that could not be made has not checked the log', () => {
  expect(logState(undefined)).toBe('unchecked')
  expect(logState({ state: 'unchecked', entries: 0, bad: -1, unsequenced: 0 })).toBe('unchecked')
  expect(logState({ state: 'broken', entries: 88, bad: 88, unsequenced: 0 })).toBe('broken')
})

test('events, filters in the URL, and older pages', async () => {
  const { asked, router } = await drawPage('/audit', '/audit', AuditPage, ({ path }) =>
    path.startsWith('/users/') ? { body: { id: 'u-anna' } } : { body: pageOf([event(), event({ id: older, outcome: 'refused', reason: 'no grant' })], { total: 240, next: older, can }) },
  )
  await waitFor(() => expect(screen.getByText('refused: no grant')).toBeTruthy())
  expect(screen.getByText('240 events')).toBeTruthy()
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Older' })))
  expect(router.state.location.search).toEqual({ before: older })
  await waitFor(() => expect(asked.at(-1)?.query.get('cursor')).toBe(older))
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: '24 h' })))
  expect(router.state.location.search).toEqual({ from: '-24h' })
  const field = screen.getByLabelText('Filter events')
  await act(async () => void fireEvent.change(field, { target: { value: 'actor:anna' } }))
  await act(async () => void fireEvent.keyDown(field, { key: 'Enter' }))
  expect(router.state.location.search).toEqual({ actor: 'anna', from: '-24h' })
  await waitFor(() => expect(asked.at(-1)?.query.get('actor')).toBe('u-anna'))
})

test('verify says what was found, and a broken log says what to do', async () => {
  const found = [{ state: 'intact', entries: 41, bad: -1, unsequenced: 1, signedAt: '2026-11-12T13:02:00Z', head: 'note', key: 'key' }, { state: 'broken', entries: 12, bad: 12, unsequenced: 0, reason: 'Entry 12 does not match its leaf.', cure: 'Keep the database as it is.' }]
  const { asked } = await drawPage('/audit', '/audit', AuditPage, ({ method }) => ({ body: method === 'POST' ? found.shift() : pageOf([event()], { can }) }))
  await waitFor(() => expect(screen.getByText('unchecked')).toBeTruthy())
  const verify = async () => act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Verify log' })))
  await waitFor(verify)
  await waitFor(() => expect(screen.getByText('intact')).toBeTruthy())
  expect(screen.getByText(/All 41 entries match the signed log/).textContent).toContain('1 newer event is not in the signed log yet.')
  expect(asked.filter(({ method }) => method === 'GET')).toHaveLength(2)
  await verify()
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('Keep the database as it is.'))
  expect(screen.getByText('broken')).toBeTruthy()
  await expectAccessible()
})

test('who may not read the log sees why and nothing is asked', async () => {
  const { asked } = await drawPage('/audit', '/audit', AuditPage, () => undefined, session({ can: { 'audit.list': { allowed: false, reason: 'The role user does not include audit.list' } } }))
  expect(screen.getByText('The role user does not include audit.list: ask an administrator or an auditor.')).toBeTruthy()
  expect(asked).toHaveLength(0)
  await expectAccessible()
})

test('no match repeats the filter and clears it', async () => {
  const { router } = await drawPage('/audit', '/audit?outcome=failed', AuditPage, () => ({ body: pageOf([], { can }) }))
  await waitFor(() => expect(screen.getByText('Nothing matches')).toBeTruthy())
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Clear the filter' })))
  expect(router.state.location.search).toEqual({})
})

test('an event shows all that was recorded', async () => {
  await drawPage('/audit/$event', `/audit/${event().id}`, EventPage, () => ({ body: event({ run: 'r1', address: '10.0.0.1', details: { version: '12' } }) }))
  await waitFor(() => expect(screen.getByRole('heading', { name: 'account.reveal' })).toBeTruthy())
  expect(screen.getByText('#41')).toBeTruthy()
  expect(screen.getByText('12')).toBeTruthy()
  expect(screen.getByRole('link', { name: 'the run' }).getAttribute('href')).toBe('/runs/r1')
  await expectAccessible()
})
