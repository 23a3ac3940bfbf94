import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { type Asked, drawPage, page, refuse } from '../resources/testPage'
import { EditPolicyPage } from './EditPolicyPage'
import { builtIn, policy, preview, scheduled } from './fixtures'
import { NewPolicyPage } from './NewPolicyPage'
import { PoliciesPage, summary } from './PoliciesPage'
import { PolicyPage } from './PolicyPage'

afterEach(() => vi.unstubAllGlobals())

const answers = (more: Record<string, unknown> = {}) => ({ method, path }: Asked): unknown => {
  const known: Record<string, unknown> = {
    'GET /policies': { items: [builtIn, policy()] },
    'GET /policies/prod': policy(),
    'GET /policies/p1': policy(),
    'GET /policies/default': builtIn,
    'POST /policies/preview': preview,
    'GET /accounts': page([scheduled()]),
  }
  const asked = `${method} ${path}`
  return asked in more ? more[asked] : known[asked]
}

const list = (more?: Record<string, unknown>, refused?: string[]) => drawPage({ route: '/policies', at: '/policies', page: PoliciesPage, answer: answers(more), refused })
const one = (name = 'prod', more?: Record<string, unknown>) => drawPage({ route: '/policies/$policy', at: `/policies/${name}`, page: PolicyPage, answer: answers(more) })
const edit = (answer: (asked: Asked) => unknown) => drawPage({ route: '/policies/$policy/edit', at: '/policies/prod/edit', page: EditPolicyPage, answer })

test('the list says what each does, whom it governs and when the next is due', async () => {
  await list()
  const row = (await screen.findByText('prod')).closest('[role=row]')
  expect(row?.textContent).toMatch(/every 30d.*40 characters, about 194 bits.*14 accounts.*overdue 2/)
  expect(screen.getByText('2 policies. Every account follows exactly one. 2 accounts are overdue.')).toBeTruthy()
  expect(summary([builtIn])).toBe('1 policy. Every account follows exactly one.')
  await expectAccessible()
})

test('who may not read policies is told where else it is said, and nothing is asked for', async () => {
  const { asked } = await list({}, ['policy.list', 'policy.create'])
  expect(await screen.findByText('You have no grant for the list of policies')).toBeTruthy()
  expect(screen.getByRole('button', { name: 'New policy' }).getAttribute('aria-disabled')).toBe('true')
  expect(asked.filter(({ path }) => path === '/policies')).toEqual([])
})

test('a list that cannot be read says so and can be asked for again', async () => {
  let broken = true
  await list({ get 'GET /policies'() { return broken ? refuse(500, { title: 'The repository does not answer' }) : { items: [policy()] } } })
  expect(await screen.findByText('The repository does not answer')).toBeTruthy()
  broken = false
  fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
  expect(await screen.findByText('prod')).toBeTruthy()
})

test('a policy says what it is for, when that is in its zone, and who follows it and why', async () => {
  const { asked } = await one()
  expect(await screen.findByText(/14 accounts follow it; 2 are overdue\./)).toBeTruthy()
  expect(await screen.findByText(/Fri 4 Dec 20:00/)).toBeTruthy()
  expect(screen.getByText(/Accounts are spread over 6h/)).toBeTruthy()
  const assigned = within(screen.getByRole('list', { name: 'Assignments' })).getAllByRole('listitem')
  expect(assigned.map((item) => item.textContent)).toEqual([expect.stringContaining('Accounts that match postgresql/prod-*/*'), expect.stringContaining('Every account of resource orders-db')])
  const row = (await screen.findByText('app_rw')).closest('[role=row]')
  expect(row?.textContent).toContain('It matches the rule')
  expect(asked.find(({ path }) => path === '/accounts')?.query.get('policy')).toBe('p1')
  await expectAccessible()
})

test('what cannot be done with the default policy says why', async () => {
  await one('default')
  for (const name of ['Delete…', 'Assign…']) {
    const button = await screen.findByRole('button', { name })
    expect(button.getAttribute('aria-disabled')).toBe('true')
    expect(button.getAttribute('aria-description')).toBe('It is for every account that no other policy is for')
  }
  expect(screen.getByText('Every account that no other policy is for.')).toBeTruthy()
})

test('a policy is assigned to a rule, and an assignment is taken away after a question', async () => {
  const { asked, router } = await one('prod', { 'POST /policies/p1/assignments': policy(), 'DELETE /policies/p1/assignments/x1': new Response(null, { status: 204 }) })
  fireEvent.click(await screen.findByRole('button', { name: 'Assign…' }))
  const dialog = within(await screen.findByRole('dialog'))
  expect(router.state.location.href).toBe('/policies/prod?dialog=assign')
  fireEvent.click(await dialog.findByRole('radio', { name: 'Rule' }))
  fireEvent.change(dialog.getByLabelText('Type/resource/account'), { target: { value: 'mysql/*/*' } })
  fireEvent.click(dialog.getByRole('button', { name: 'Assign prod' }))
  await waitFor(() => expect(asked.find(({ method, path }) => method === 'POST' && path.endsWith('assignments'))?.body).toEqual({ by: 'rule', pattern: 'mysql/*/*' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  fireEvent.click(screen.getByRole('button', { name: 'Take away: Accounts that match postgresql/prod-*/*' }))
  const question = within(await screen.findByRole('dialog'))
  expect(question.getByText(/follows the next policy/)).toBeTruthy()
  fireEvent.click(question.getByRole('button', { name: 'Take away the assignment' }))
  await waitFor(() => expect(asked.some(({ method }) => method === 'DELETE')).toBe(true))
})

test('deleting asks for the name, says what follows, and sends the revision that was read', async () => {
  const { asked, router } = await one('prod', { 'DELETE /policies/p1': new Response(null, { status: 204 }) })
  fireEvent.click(await screen.findByRole('button', { name: 'Delete…' }))
  const dialog = within(await screen.findByRole('dialog'))
  expect(dialog.getByText('14 accounts follow another policy then; which one, its page says.')).toBeTruthy()
  fireEvent.change(dialog.getByLabelText(/to confirm/), { target: { value: 'prod' } })
  fireEvent.click(dialog.getByRole('button', { name: 'Delete prod' }))
  await waitFor(() => expect(asked.find(({ method }) => method === 'DELETE')?.headers.get('If-Match')).toBe('"3"'))
  await waitFor(() => expect(router.state.location.pathname).toBe('/policies'))
})

test('a new policy shows what it comes to while it is typed, and then its page', async () => {
  const { asked, router } = await drawPage({ route: '/policies/new', at: '/policies/new', page: NewPolicyPage, answer: answers({ 'POST /policies': policy({ name: 'nightly' }) }) })
  expect(await screen.findByText('about 194 bits')).toBeTruthy()
  fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'nightly' } })
  fireEvent.click(screen.getByRole('radio', { name: 'By a cron line' }))
  fireEvent.change(screen.getByLabelText('Cron line'), { target: { value: '0 3 * * *' } })
  await waitFor(() => expect(asked.filter(({ path }) => path === '/policies/preview').at(-1)?.body).toMatchObject({ rotation: { cron: '0 3 * * *' } }))
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Make the policy' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/policies/nightly'))
  expect(asked.find(({ method, path }) => method === 'POST' && path === '/policies')?.body).toEqual({ name: 'nightly', password: {}, rotation: { cron: '0 3 * * *' }, history: 0 })
})

test('what the server cannot follow stands at its field, before anything is saved', async () => {
  const wrong = refuse(422, { type: 'urn:keyturn:problem:schedule', title: 'The cron line cannot be read', cure: 'write five fields', errors: [{ location: 'body.every', message: 'that is no length of time' }] })
  await drawPage({ route: '/policies/new', at: '/policies/new', page: NewPolicyPage, answer: answers({ 'POST /policies/preview': wrong }) })
  expect(await screen.findByText('that is no length of time')).toBeTruthy()
  expect(screen.getByLabelText('Interval').getAttribute('aria-invalid')).toBe('true')
})

test('an edit that came second shows both sides and overwrites nothing', async () => {
  let stored = policy()
  const { asked } = await edit((one) => {
    if (one.method === 'PATCH') return one.headers.get('If-Match') === `"${stored.rev}"` ? stored : refuse(412, { type: 'stale', title: 'It has changed' })
    return answers({ 'GET /policies/prod': stored, 'GET /policies/p1': stored })(one)
  })
  fireEvent.change(await screen.findByLabelText('Interval'), { target: { value: '7d' } })
  stored = policy({ rev: 4, history: 9, rotation: { ...policy().rotation, every: '14d' } })
  fireEvent.click(screen.getByRole('button', { name: 'Save prod' }))
  expect(await screen.findByText('It has changed')).toBeTruthy()
  // What was not typed here is theirs already; what both changed is to be chosen.
  expect(screen.getByLabelText<HTMLInputElement>('History').value).toBe('9')
  expect(screen.getByLabelText<HTMLInputElement>('Interval').value).toBe('7d')
  fireEvent.click(screen.getByRole('button', { name: 'Save prod' }))
  const patches = () => asked.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers.get('If-Match'))
  await waitFor(() => expect(patches()).toEqual(['"3"', '"4"']))
  expect(asked.filter(({ method }) => method === 'PATCH').at(-1)?.body).toEqual({ rotation: { ...policy().rotation, every: '7d' } })
})
