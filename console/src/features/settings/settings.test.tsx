import { act, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { beforeAll, afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { changed, endAfter, grantParts, grantText, scopesOf } from './people'
import { SettingsPage } from './SettingsPage'
import { type Asked, type Answer, drawPage, pageOf, session } from './testing'

afterEach(() => vi.unstubAllGlobals())

const can = { update: { allowed: true }, delete: { allowed: true }, password: { allowed: true }, create: { allowed: true } }
const ben = { id: 'u2', name: 'ben', role: 'user', disabled: false, createdAt: '2026-01-01T00:00:00Z', rev: 7, can }
const grant = { id: 'g1', subjectKind: 'group', subjectId: 's1', subjectName: 'db-owners', objectKind: 'resource', objectId: 'r1', objectName: 'orders-db', level: 'reveal', grantedBy: 'anna', createdAt: '2026-01-01T00:00:00Z', rev: 1, can } as const

// A browser loads a section when it is first opened; here all are there.
beforeAll(() => Promise.all(['Appearance', 'EditGroup', 'EditUser', 'Grants', 'Groups', 'NewUser', 'OneGroup', 'OneUser', 'Own', 'Scopes', 'ServerInfo', 'Tokens', 'Users'].map((name) => import(`./${name}.tsx`))))
const open = (address: string, answer: (asked: Asked) => Answer | undefined, who = session()) =>
  drawPage(address.startsWith('/settings/') ? '/settings/$section' : '/settings', address, SettingsPage, answer, who)
const click = (name: string | RegExp) => act(async () => void fireEvent.click(screen.getByRole('button', { name })))
const type = (label: string | RegExp, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } })

test('a grant reads as a sentence', () => {
  expect(grantText(grantParts({ ...grant, expiresAt: '2020-12-01T12:00:00Z' }, 'utc'))).toBe('Group db-owners may reveal every account of orders-db until 1 Dec 2020 12:00 UTC')
  expect(grantText(grantParts({ ...grant, subjectKind: 'user', level: 'view', objectKind: 'cluster' }, 'utc'))).toBe('User db-owners may see everything in cluster orders-db without end')
})

test('ends, scopes and changes', () => {
  expect(endAfter('7', 0)).toBe('1970-01-08T00:00:00.000Z')
  expect([endAfter('', 0), endAfter('-1', 0), endAfter('x', 0)]).toEqual([undefined, undefined, undefined])
  expect(scopesOf(['account.get', 'account.list', 'run.get'])).toEqual(['*', 'account.*', 'account.get', 'account.list', 'run.*', 'run.get'])
  expect(changed({ a: 1, b: 2 }, { a: 1 })).toBeUndefined()
  expect(changed({ a: 1, b: 2 }, { a: 1, b: 3 })).toEqual({ b: 3 })
})

test('a user is changed under the revision that was read; one changed meanwhile shows both sides, and what was chosen is sent', async () => {
  let stored: { rev: number; [field: string]: unknown } = ben
  const { asked, router } = await open('/settings/users', ({ method, path, headers }) => {
    if (method === 'PATCH') return headers.get('If-Match') === `"${stored.rev}"` ? { body: stored } : { status: 412, body: { type: 'stale', title: 'It was changed meanwhile', status: 412, cure: 'Look at it again.' } }
    if (path === '/sessions') return { body: { items: [] } }
    return { body: path === '/users/u2' ? stored : pageOf([stored], { can }) }
  })
  await waitFor(() => expect(screen.getByText('ben')).toBeTruthy())
  await expectAccessible()
  await act(async () => void fireEvent.click(screen.getByText('ben')))
  await waitFor(() => expect(router.state.location.search).toEqual({ open: 'u2' }))
  expect(await screen.findByText('Not signed in anywhere.')).toBeTruthy()
  await click('Edit')
  expect(router.state.location.search).toEqual({ do: 'edit', open: 'u2' })
  await act(async () => type('Full name', 'Ben B.'))
  stored = { ...ben, role: 'operator', displayName: 'Benjamin', rev: 8 }
  await click('Save ben')
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('It was changed meanwhile'))
  expect(await screen.findByRole('radio', { name: 'Keep mine Ben B.' })).toHaveProperty('checked', true)
  expect(screen.getByRole('radio', { name: 'Take theirs Operator' })).toHaveProperty('checked', true)
  await expectAccessible()
  await click('Save ben')
  const patches = () => asked.filter(({ method }) => method === 'PATCH').map(({ path, body, headers }) => [path, body, headers.get('If-Match')])
  await waitFor(() => expect(patches()).toEqual([['/users/u2', { displayName: 'Ben B.' }, '"7"'], ['/users/u2', { displayName: 'Ben B.' }, '"8"']]))
})

test('a group that an event brings anew is not overwritten by a dialog that was open', async () => {
  const group = { id: 's1', name: 'db-owners', description: 'Databases', members: [{ id: 'u2', name: 'ben' }], createdAt: '2026-01-01T00:00:00Z', rev: 1, can }
  let stored = group
  const { asked, client } = await open('/settings/groups?do=edit&open=s1', ({ method, path, headers }) => {
    if (method === 'PATCH') return headers.get('If-Match') === `"${stored.rev}"` ? { body: stored } : { status: 412, body: { type: 'stale', title: 'It was changed meanwhile', status: 412 } }
    if (path === '/users') return { body: pageOf([ben, { ...ben, id: 'u3', name: 'cleo' }], { can }) }
    return { body: path === '/groups/s1' ? stored : pageOf([stored], { can }) }
  })
  await screen.findByLabelText('Purpose')
  stored = { ...group, description: 'All databases', members: [...group.members, { id: 'u3', name: 'cleo' }], rev: 2 }
  await act(() => client.invalidateQueries({ queryKey: ['group'] }))
  await act(async () => type('Purpose', 'Orders'))
  await click('Save db-owners')
  expect(await screen.findByRole('radio', { name: 'Keep mine Orders' })).toHaveProperty('checked', true)
  expect(screen.getByRole('radio', { name: 'Take theirs ben, cleo' })).toHaveProperty('checked', true)
  await click('Save db-owners')
  await waitFor(() => expect(asked.filter(({ method }) => method === 'PATCH').map(({ body, headers }) => [body, headers.get('If-Match')])).toEqual([[{ description: 'Orders' }, '"1"'], [{ description: 'Orders' }, '"2"']]))
})

const here = { id: 'w1', user: { id: 'u1', name: 'anna' }, createdAt: '2026-01-01T00:00:00Z', lastSeenAt: '2026-01-02T00:00:00Z', expiresAt: '2026-01-03T00:00:00Z', idleUntil: '2026-01-03T00:00:00Z', address: '192.0.2.1', current: true, can: { delete: { allowed: true } } }
const there = { ...here, id: 'w2', address: '198.51.100.7', current: false }

test('own sessions: this one is told apart, and another is ended after it was asked', async () => {
  const { asked } = await open('/settings', ({ method, path }) => (method === 'DELETE' ? { status: 204 } : path === '/sessions' ? { body: { items: [here, there] } } : undefined))
  const rows = within(await screen.findByRole('list', { name: 'Your sessions' })).getAllByRole('listitem')
  expect(rows.map((row) => row.textContent?.includes('this one'))).toEqual([true, false])
  expect(screen.getByRole('button', { name: 'End the session from 192.0.2.1' }).getAttribute('aria-disabled')).toBe('true')
  await expectAccessible()
  await click('End the session from 198.51.100.7')
  expect(asked.some(({ method }) => method === 'DELETE')).toBe(false)
  const dialog = within(await screen.findByRole('dialog', { name: 'End the session from 198.51.100.7' }))
  await act(async () => void fireEvent.click(dialog.getByRole('button', { name: 'End the session from 198.51.100.7' })))
  await waitFor(() => expect(asked.find(({ method }) => method === 'DELETE')?.path).toBe('/sessions/w2'))
})

test('sessions that cannot be read say so in place', async () => {
  await open('/settings', ({ path }) => (path === '/sessions' ? { status: 500, body: { type: 'internal', title: 'It failed' } } : undefined))
  expect(await screen.findByText('It failed')).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Retry' })).toBeTruthy()
})

test('deleting somebody asks for the name', async () => {
  const { asked, router } = await open('/settings/users?do=delete&open=u2', ({ method }) => (method === 'DELETE' ? { status: 204 } : { body: pageOf([ben], { can }) }))
  const button = await screen.findByRole('button', { name: 'Delete ben' })
  expect(button).toHaveProperty('disabled', true)
  await act(async () => type(/Type ben to confirm/, 'ben'))
  await click('Delete ben')
  await waitFor(() => expect(router.state.location.search).toEqual({}))
  expect(asked.find(({ method }) => method === 'DELETE')?.path).toBe('/users/u2')
})

test('who may not list users sees why, and nothing is asked', async () => {
  const { asked } = await open('/settings/users', () => undefined, session({ can: { 'user.list': { allowed: false, reason: 'The role user does not include user.list' } } }))
  expect(screen.getByText('The role user does not include user.list: ask an administrator.')).toBeTruthy()
  expect(asked).toHaveLength(0)
})

test('a group is listed with its members', async () => {
  await open('/settings/groups?open=s1', () => ({ body: pageOf([{ id: 's1', name: 'db-owners', members: [{ id: 'u2', name: 'ben' }], createdAt: '2026-01-01T00:00:00Z', rev: 1, can }], { can }) }))
  const drawer = await screen.findByRole('dialog')
  expect(within(drawer).getByText('ben')).toBeTruthy()
  await expectAccessible()
})

test('grants are sentences, and taking one back says what ends', async () => {
  const { asked } = await open('/settings/grants', ({ method }) => (method === 'DELETE' ? { status: 204 } : { body: pageOf([grant], { can }) }))
  expect((await screen.findByText('db-owners')).closest('li')?.textContent).toContain('Group db-owners may reveal every account of orders-db without end. Given by anna')
  await expectAccessible()
  await click('Take back')
  expect(await screen.findByText('It ends at once. Other grants may still give the same right.')).toBeTruthy()
  await click('Take back this grant')
  await waitFor(() => expect(asked.find(({ method }) => method === 'DELETE')?.path).toBe('/grants/g1'))
})

test('a token is shown once, in the value field, and in no attribute or cache', async () => {
  const secret = 'kt_canary<&"\'>'
  const { asked, client } = await open('/settings/tokens?do=new', ({ method }) =>
    method === 'POST' ? { status: 201, body: { id: 't1', name: 'ci', owner: { id: 'u1', name: 'anna' }, scopes: ['*'], expiresAt: '2030-01-01T00:00:00Z', createdAt: '2026-01-01T00:00:00Z', secret } } : { body: pageOf([], { can }) })
  await act(async () => type(/^Name/, 'ci'))
  await click('Make the token')
  await waitFor(() => expect(screen.getByText(/shown here once/)).toBeTruthy())
  expect(asked.find(({ method }) => method === 'POST')?.body).toMatchObject({ name: 'ci', scopes: ['*'] })
  expect(document.body.innerHTML).not.toContain('kt_canary')
  await click(/^Reveal/)
  await waitFor(() => expect(screen.getByText(secret)).toBeTruthy())
  await expectAccessible()
  expect(JSON.stringify(client.getQueryCache().getAll().map(({ state }) => state.data))).not.toContain('kt_canary')
  await click('I have it')
  await waitFor(() => expect(document.body.textContent).not.toContain('kt_canary'))
})

test('the own password needs the current one, and two equal new ones', async () => {
  const { asked } = await open('/settings', ({ path }) => (path === '/sessions' ? { body: { items: [here] } } : { status: 204 }))
  const fill = (again: string) => act(async () => {
    type('Current password', 'old')
    type('New password', 'next')
    type('New password again', again)
  })
  await fill('other')
  await click('Change password')
  expect(screen.getByText('The two are not equal')).toBeTruthy()
  expect(asked.filter(({ method }) => method === 'POST')).toHaveLength(0)
  await expectAccessible()
  await fill('next')
  await click('Change password')
  await waitFor(() => expect(asked.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body])).toEqual([['/users/u1/password', { current: 'old', password: 'next' }]]))
  expect(screen.getByLabelText<HTMLInputElement>('Current password').value).toBe('')
})

test('appearance and server', async () => {
  await open('/settings/appearance', () => undefined)
  expect(screen.getByRole('radio', { name: 'Dark' })).toBeTruthy()
  const shown = within(screen.getByRole('navigation', { name: 'Settings' })).getAllByRole('link').filter((link) => link.getAttribute('aria-current') !== null)
  expect(shown.map((link) => link.textContent)).toEqual(['Appearance'])
  await expectAccessible()
})
