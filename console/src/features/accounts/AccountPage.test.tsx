import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { drawPage, page, refuse } from '../resources/testPage'
import { type Account, type Mapping, truth, worstMappings } from './account'
import { verifyProblem } from './AccountActions'
import { AccountPage } from './AccountPage'
import { policy } from '../policies/fixtures'
import { account, answers, mapping } from './fixtures'

afterEach(() => vi.unstubAllGlobals())

const at = (search = '', more: Record<string, unknown> = {}, refused?: readonly string[]) =>
  drawPage({ route: '/resources/$resource/accounts/$account', at: `/resources/orders-db/accounts/app_rw${search}`, page: AccountPage, answer: answers(more), refused })

test('the sentence says no more than was proved', () => {
  const of = (part: object) => truth({ ...account, ...part } as Account)
  expect(of({})).toBe('v3 logs in. It stands in 2 of 3 mapped keys: 1 behind.')
  expect(of({ state: 'unverified', reason: 'The answer was lost.', mappings: {} })).toBe(
    'v3 is stored; whether it logs in is not proved. The answer was lost. No Secret key is mapped to it.',
  )
  expect(of({ state: 'out_of_sync', mappings: { in_sync: 1 } })).toBe('The system refuses v3. It stands in its one mapped key.')
  expect(of({ current: 0, mappings: {} })).toMatch(/^No value is stored yet/)
})

test('mappings stand worst first', () => {
  const of = (state: string, secret: string) => ({ ...mapping, state, secret }) as Mapping
  const sorted = worstMappings([of('in_sync', 'a'), of('behind', 'b'), of('conflict', 'd'), of('in_sync', '0')])
  expect(sorted.map(({ secret }) => secret)).toEqual(['d', 'b', '0', 'a'])
})

test('a check that proved nothing is a problem with its cause and cure', () => {
  expect(verifyProblem({ state: 'verified', at: '' })).toBeUndefined()
  expect(verifyProblem({ state: 'out_of_sync', reason: 'It refused.', cure: 'Reset it.', at: '' })?.fields).toMatchObject({ title: 'The login does not work', cause: 'It refused.', cure: 'Reset it.' })
})

test('versions without their values; a reveal asks for exactly that version and leaves no trace in the cache', async () => {
  const { asked, router } = await at('', { 'POST /accounts/a1/reveal': { version: 2, value: 'c4n4ry-<v2>' } })
  expect(await screen.findByText(/v3 logs in/)).toBeTruthy()
  fireEvent.click(await screen.findByRole('button', { name: /^Reveal ?app_rw v2$/ }))
  expect(await screen.findByText('c4n4ry-<v2>')).toBeTruthy()
  expect(asked.filter(({ method }) => method === 'POST').map(({ body }) => body)).toEqual([{ version: 2 }])
  expect(router.state.location.href).not.toContain('c4n4ry')
  expect(screen.getByRole('link', { name: 'Set again… v2' }).getAttribute('href')).toBe('/resources/orders-db/accounts/app_rw/reset?version=2')
  expect(screen.queryByRole('link', { name: 'Set again… v3' })).toBeNull()
  await expectAccessible()
})

test('verify shows what the server found', async () => {
  await at('', { 'POST /accounts/a1/verify': { state: 'out_of_sync', reason: 'The server refused the login.', at: '2026-11-23T12:00:00Z' } })
  fireEvent.click(await screen.findByRole('button', { name: 'Verify' }))
  expect(await screen.findByText('The login does not work')).toBeTruthy()
})

test('mappings: worst first, and one is ended with the revision that was read', async () => {
  const { asked } = await at('?tab=mappings', { 'DELETE /mappings/m1': new Response(null, { status: 204 }) })
  await screen.findByRole('link', { name: 'shop/api' })
  const rows = screen.getAllByRole('row').slice(1)
  expect(rows.map((row) => row.textContent)).toEqual([expect.stringContaining('shop/api'), expect.stringContaining('shop/db')])
  fireEvent.click(screen.getByRole('button', { name: 'Unmap db password…' }))
  const dialog = within(await screen.findByRole('dialog'))
  expect(dialog.getByText(/keeps the value/)).toBeTruthy()
  fireEvent.click(dialog.getByRole('button', { name: 'Unmap shop/db: password' }))
  await waitFor(() => expect(asked.find(({ method }) => method === 'DELETE')?.headers.get('If-Match')).toBe('"2"'))
})

test('tabs that a person may not read are not there', async () => {
  const mine = { ...account, can: { ...account.can, share: { allowed: false, reason: 'No.' } } }
  await at('', { 'GET /accounts': page([mine]), 'GET /accounts/a1': mine }, ['audit.list'])
  await screen.findByText(/v3 logs in/)
  expect(within(screen.getByRole('navigation', { name: 'app_rw' })).getAllByRole('link').map((a) => a.textContent)).toEqual(['Versions', 'Mappings3', 'Policy'])
})

test('the policy: which applies and why, which others are for it, and what follows', async () => {
  const planned = { ...account, policy: 'prod', policyBecause: 'It is assigned to this account', nextAt: '2026-12-04T19:00:00Z', nextWhy: 'every 30d', checkAt: '2026-12-01T10:00:00Z', overdue: true }
  await at('?tab=policy', {
    'GET /accounts': page([planned]),
    'GET /accounts/a1': planned,
    'GET /accounts/a1/policy': {
      accountId: 'a1', accountName: 'app_rw', resourceName: 'orders-db', nextAt: planned.nextAt, nextWhy: 'every 30d', overdue: true, checkAt: planned.checkAt,
      applying: [{ policyId: 'p1', policy: 'prod', by: 'account', pattern: 'a1', because: 'it is assigned to this account' }, { policyId: 'default', policy: 'default', because: 'no other policy is for this account' }],
    },
    'GET /policies': { items: [policy()] },
  })
  const reasons = within(await screen.findByRole('region', { name: 'Policies that are for it' })).getAllByRole('listitem')
  expect(reasons.map((item) => item.textContent)).toEqual(['prodIt is assigned to this account.', 'defaultNo other policy is for this account.'])
  expect(await screen.findByText(/Fri 4 Dec 20:00 .*\(Europe\/Berlin\)/)).toBeTruthy()
  expect(screen.getByText(/changed next/).textContent).toMatch(/^Policy prod: overdue, changed next .*\(every 30d\); a login is tried/)
  await expectAccessible()
})

test('a value that was changed elsewhere goes from the field to the server', async () => {
  const { asked } = await at('', { 'PATCH /accounts/a1': { ...account, rev: 8 } })
  fireEvent.click(await screen.findByRole('button', { name: 'More for app_rw' }))
  expect((await screen.findByRole('menuitem', { name: /Delete/ })).textContent).toContain('A reset of this account is under way.')
  fireEvent.click(screen.getByRole('menuitem', { name: 'Store a value…' }))
  const dialog = within(await screen.findByRole('dialog'))
  fireEvent.change(dialog.getByLabelText('Value'), { target: { value: 'c4n4ry' } })
  fireEvent.click(dialog.getByRole('button', { name: 'Store a value for app_rw' }))
  await waitFor(() => expect(asked.find(({ method }) => method === 'PATCH')?.body).toEqual({ value: 'c4n4ry' }))
  expect(asked.find(({ method }) => method === 'PATCH')?.headers.get('If-Match')).toBe('"7"')
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
})

test('a rename that came second shows both names and overwrites none', async () => {
  let stored = account as Account
  const { asked } = await drawPage({
    route: '/resources/$resource/accounts/$account',
    at: '/resources/orders-db/accounts/app_rw',
    page: AccountPage,
    answer: (one) => {
      if (one.method === 'PATCH') return one.headers.get('If-Match') === `"${stored.rev}"` ? stored : refuse(412, { type: 'stale', title: 'It has changed' })
      return answers({ 'GET /accounts': page([stored]), 'GET /accounts/a1': stored })(one)
    },
  })
  fireEvent.click(await screen.findByRole('button', { name: 'More for app_rw' }))
  fireEvent.click(await screen.findByRole('menuitem', { name: 'Rename…' }))
  const dialog = within(await screen.findByRole('dialog'))
  fireEvent.change(dialog.getByLabelText('New name'), { target: { value: 'mine' } })
  stored = { ...stored, name: 'theirs', rev: stored.rev + 1 }
  fireEvent.click(dialog.getByRole('button', { name: 'Rename app_rw' }))
  expect(await dialog.findByRole('radio', { name: 'Keep mine mine' })).toHaveProperty('checked', true)
  expect(dialog.getByText('It has changed')).toBeTruthy()
  fireEvent.click(dialog.getByRole('radio', { name: 'Take theirs theirs' }))
  expect(dialog.getByLabelText<HTMLInputElement>('New name').value).toBe('theirs')
  fireEvent.click(dialog.getByRole('radio', { name: 'Keep mine mine' }))
  fireEvent.click(dialog.getByRole('button', { name: 'Rename app_rw' }))
  const patches = () => asked.filter(({ method }) => method === 'PATCH').map(({ body, headers }) => [body, headers.get('If-Match')])
  await waitFor(() => expect(patches()).toEqual([[{ name: 'mine' }, '"7"'], [{ name: 'mine' }, '"8"']]))
})
