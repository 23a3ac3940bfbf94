import { act, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { account } from '../accounts/fixtures'
import { type Asked, drawPage, page, refuse } from '../resources/testPage'
import { plan, rehearsal } from './fixtures'
import { blastText, readinessState, stepsOf, waveClusters, weighed, worstKeys, worstWorkloads } from './plan'
import { agreedLines, PlanPage } from './PlanPage'

afterEach(() => vi.unstubAllGlobals())

const answers = (more: Record<string, unknown> = {}) => ({ method, path }: Asked): unknown => {
  const known: Record<string, unknown> = { 'GET /accounts': page([account]), 'GET /accounts/a1': account, 'GET /accounts/a1/plan': plan(), 'GET /accounts/a1/rehearsal': rehearsal() }
  const asked = `${method} ${path}`
  return asked in more ? more[asked] : known[asked]
}
const at = (more?: Record<string, unknown>) => drawPage({ route: '/resources/$resource/accounts/$account/plan', at: '/resources/orders-db/accounts/app_rw/plan', page: PlanPage, answer: answers(more) })

test('the words of a plan', () => {
  expect(blastText(plan())).toBe('3 keys · 2 clusters · 2 workloads · 3 pods restart · about 6 min · 2 waves')
  expect(weighed(plan()).map(({ text, blocks }) => [blocks, text])).toEqual([
    [true, '1 key could not be written as things are; each says why.'],
    [false, 'Something has one replica.'],
    [false, 'Readers that hold the old value cannot log in for about 20 s. The new pods are ready.'],
    [false, '1 workload with one replica is restarted: nothing serves for a moment.'],
  ])
  expect(waveClusters(plan())).toEqual([{ number: 1, clusters: ['stage'], keys: 1 }, { number: 2, clusters: ['prod-eu'], keys: 2 }])
  expect(waveClusters(plan({ waves: undefined }))).toEqual([])
  expect(worstKeys(plan().keys ?? [])[0]?.secret).toBe('legacy')
  expect(worstWorkloads(plan().workloads ?? []).map(({ name }) => name)).toEqual(['mailer', 'api', 'worker'])
  expect(agreedLines(plan())[0]).toBe('app_rw gets a new value on orders-db, and 2 of 3 mapped keys are written.')
  expect(stepsOf(rehearsal()).at(-1)).toMatchObject({ state: 'failed', note: 'Deployment shop/mailer in prod-eu', detail: 'It is forbidden. What to do now: grant patch on deployments' })
  expect(readinessState('not_ready')).toBe('not_ready')
  expect(readinessState('something new')).toBeUndefined()
})

test('a plan says who is touched, what is to be weighed, and whether it would work', async () => {
  await at()
  expect(await screen.findByText('3 keys · 2 clusters · 2 workloads · 3 pods restart · about 6 min · 2 waves')).toBeTruthy()
  expect(within(screen.getByRole('list', { name: 'To be weighed' })).getAllByRole('listitem')[0]?.textContent).toMatch(/^Would stop the run/)
  expect(within(screen.getByRole('region', { name: 'Secret keys' })).getByText('argocd')).toBeTruthy()
  expect(within(await screen.findByRole('list', { name: 'Steps of the rehearsal' })).getAllByRole('listitem')).toHaveLength(3)
  expect(screen.getByText(/The connector may not restart shop\/mailer/)).toBeTruthy()
  await expectAccessible()
})

test('a run is begun only of the plan that was shown', async () => {
  const { asked, router } = await at({ 'POST /accounts/a1/reset': { id: 'run1' } })
  fireEvent.click(await screen.findByRole('button', { name: 'Start…' }))
  const question = within(await screen.findByRole('dialog', { name: 'Reset app_rw' }))
  expect(question.getByText(/only if the world is still as this plan says/)).toBeTruthy()
  fireEvent.click(question.getByRole('button', { name: 'Reset app_rw' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs/run1'))
  expect(asked.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body])).toEqual([['/accounts/a1/reset', { plan: '3c91aa' }]])
})

test('a world that changed meanwhile refuses the start, and the plan is read again', async () => {
  const { asked } = await at({ 'POST /accounts/a1/reset': refuse(409, { title: 'The world has changed since the plan', cure: 'Look at the plan again.' }) })
  fireEvent.click(await screen.findByRole('button', { name: 'Start…' }))
  fireEvent.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Reset app_rw' }))
  expect(await screen.findByText('The world has changed since the plan')).toBeTruthy()
  await waitFor(() => expect(asked.filter(({ path }) => path === '/accounts/a1/plan').length).toBe(2))
})

test('a plan that is read again behind the question is not what is agreed to', async () => {
  const known = { 'GET /accounts/a1/plan': plan() as unknown, 'POST /accounts/a1/reset': { id: 'run1' } }
  const { asked, client } = await at(known)
  fireEvent.click(await screen.findByRole('button', { name: 'Start…' }))
  const question = within(await screen.findByRole('dialog'))
  const read = question.getByText(/mapped keys are written/).textContent
  known['GET /accounts/a1/plan'] = plan({ hash: 'another', blast: { ...plan().blast, keys: 1, blocked: 0 } })
  await act(() => client.invalidateQueries({ queryKey: ['account'] }))
  await screen.findByText(/^1 key · /)
  expect(question.getByText(/mapped keys are written/).textContent).toBe(read)
  fireEvent.click(question.getByRole('button', { name: 'Reset app_rw' }))
  await waitFor(() => expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ plan: '3c91aa' }))
})

test('a rehearsal is begun, and says that it is under way', async () => {
  const running = rehearsal({ state: 'running', steps: [], can: { rehearse: { allowed: false, reason: 'A rehearsal is under way' } } })
  const { asked } = await at({ 'POST /accounts/a1/rehearsal': running })
  fireEvent.click(await screen.findByRole('button', { name: 'Rehearse' }))
  expect(await screen.findByText(/The whole way of a run is being tried/)).toBeTruthy()
  expect(screen.getByRole('button', { name: 'Rehearse' }).getAttribute('aria-description')).toBe('A rehearsal is under way')
  expect(asked.filter(({ method }) => method === 'POST').map(({ path }) => path)).toEqual(['/accounts/a1/rehearsal'])
})

test('a plan that cannot be made, and one that may not be started, say why', async () => {
  const failed = await at({ 'GET /accounts/a1/plan': refuse(503, { title: 'The system does not answer', cure: 'Bring it back.' }) })
  expect(await screen.findByText('The system does not answer')).toBeTruthy()
  failed.unmount()
  await at({ 'GET /accounts/a1/plan': plan({ can: { reset: { allowed: false, reason: 'A reset of this account is under way' } }, keys: [], workloads: [], waves: undefined, warnings: undefined, lockout: undefined, unseen: ['prod-us did not answer.'] }) })
  expect((await screen.findByRole('button', { name: 'Start…' })).getAttribute('aria-description')).toBe('A reset of this account is under way')
  expect(screen.getByText('prod-us did not answer.')).toBeTruthy()
  expect(screen.getByText('No workload was seen that reads these keys.')).toBeTruthy()
})
