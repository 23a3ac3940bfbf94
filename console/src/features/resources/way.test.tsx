import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { ResourcePage } from './ResourcePage'
import { ResourcesPage } from './ResourcesPage'
import { type Answer, drawPage, page, refuse } from './testPage'
import { placeOf, throughOf, wayOf, wayText } from './way'

afterEach(() => vi.unstubAllGlobals())

const base = { fields: [], verify: true, change: true, reconcile: false, minLength: 1 }
const types = {
  items: [
    { ...base, type: 'postgresql', name: 'PostgreSQL', description: 'Roles of a server.', inside: true, ofCluster: false },
    { ...base, type: 'kubernetes-token', name: 'Kubernetes (ServiceAccount tokens)', description: 'Tokens.', inside: false, ofCluster: true },
    { ...base, type: 'generic', name: 'Generic', description: 'Any system.', inside: false, ofCluster: false },
  ],
}
const cluster = (name: string, scope: object, allowed = true) => ({
  id: `id of ${name}`, name, server: 'https://10.0.0.1', state: 'connected', scope: { access: 'read-write', namespaces: ['data'], restart: true, ...scope }, secrets: 1, mapped: 0, drifted: 0, resources: 1, createdAt: '2026-11-01T00:00:00Z', rev: 1,
  can: { update: allowed ? { allowed } : { allowed, reason: 'Your role does not allow it.' } },
})
const clusters = page([cluster('east', { portForward: true, replace: true }), cluster('west', {}), cluster('north', { portForward: true, replace: true }, false)])
const through = { cluster: 'id of east', clusterName: 'east', place: 'data/service/orders' }
const orders = { id: 'r1', name: 'orders-db', type: 'postgresql', accounts: 0, states: {}, settings: {}, through, createdAt: '2026-11-01T00:00:00Z', rev: 3, can: { update: { allowed: true }, createAccount: { allowed: true } } }

const answer: Answer = ({ method, path, body }) => {
  if (method === 'POST' || method === 'PATCH') return { ...orders, ...(body as object), rev: 4 }
  const answers: Record<string, unknown> = { '/types': types, '/clusters': clusters, '/resources/orders-db': orders, '/resources/r1': orders, '/resources': page([]), '/accounts': page([]) }
  return answers[path]
}
const create = (answers = answer) => drawPage({ route: '/resources', at: '/resources?dialog=new', page: ResourcesPage, answer: answers })
const connection = (answers = answer) => drawPage({ route: '/resources/$resource', at: '/resources/orders-db?tab=connection', page: ResourcePage, answer: answers })

const pick = (label: string, option: string) => {
  fireEvent.click(screen.getByRole('combobox', { name: label }))
  fireEvent.click(screen.getByRole('option', { name: new RegExp(option), hidden: true }))
}
const fill = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label, { selector: 'input' }), { target: { value } })

test('a way is written as the command line writes it', () => {
  expect(wayText(undefined)).toBe('directly')
  expect(throughOf(undefined)).toEqual({ cluster: '', place: '' })
  const way = wayOf(orders)
  expect(way).toEqual({ cluster: 'east', namespace: 'data', kind: 'service', name: 'orders' })
  expect(way && placeOf(way)).toBe(through.place)
  expect(wayText(wayOf({ through: { cluster: '', place: 'shop/serviceaccounts' } }))).toBe('shop/serviceaccounts in a cluster that you do not see')
})

test('a database is made that a cluster’s service leads to', async () => {
  const { asked, router } = await create()
  fireEvent.click(await screen.findByRole('radio', { name: 'Through a cluster' }))
  await waitFor(() => expect(asked.some(({ path }) => path === '/clusters')).toBe(true))
  fireEvent.click(screen.getByRole('combobox', { name: 'Cluster' }))
  expect(screen.getByRole('option', { name: /^westIts connector may not connect to ports of pods/, hidden: true }).hasAttribute('data-combobox-disabled')).toBe(true)
  expect(screen.getByRole('option', { name: /^northYour role does not allow it/, hidden: true }).hasAttribute('data-combobox-disabled')).toBe(true)
  fireEvent.click(screen.getByRole('option', { name: 'east', hidden: true }))
  fill('Name', 'orders-db')
  fill('Namespace', 'data')
  fireEvent.click(screen.getByRole('radio', { name: 'A pod' }))
  fill('Pod', 'orders-0')
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Make the resource' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/resources/orders-db'))
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ name: 'orders-db', type: 'postgresql', settings: {}, through: { cluster: 'east', place: 'data/pod/orders-0' } })
})

test('ServiceAccounts are always of a cluster, and another type of no cluster is asked for none', async () => {
  const { asked, router } = await create()
  await screen.findByRole('radio', { name: 'Directly' })
  pick('Type', 'Generic')
  expect(screen.queryByRole('radio', { name: 'Directly' })).toBeNull()
  pick('Type', 'ServiceAccount')
  expect(screen.queryByRole('radio', { name: 'Directly' })).toBeNull()
  await screen.findByRole('combobox', { name: 'Cluster' })
  await waitFor(() => expect(asked.some(({ path }) => path === '/clusters')).toBe(true))
  fireEvent.click(screen.getByRole('combobox', { name: 'Cluster' }))
  fireEvent.click(await screen.findByRole('option', { name: 'east', hidden: true }))
  fill('Name', 'shop-robots')
  fill('Namespace', 'shop')
  fireEvent.click(screen.getByRole('button', { name: 'Make the resource' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/resources/shop-robots'))
  expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ name: 'shop-robots', type: 'kubernetes-token', settings: {}, through: { cluster: 'east', place: 'shop/serviceaccounts' } })
})

test('what the server says of the way stands at its field', async () => {
  await create((asked) => asked.method === 'POST'
    ? refuse(422, { title: 'It was not accepted', errors: [{ location: 'body.through', message: 'the connector of east has no rights in that namespace' }] })
    : answer(asked))
  fireEvent.click(await screen.findByRole('radio', { name: 'Through a cluster' }))
  fill('Name', 'orders-db')
  fill('Namespace', 'vault')
  fill('Service', 'orders')
  const form = screen.getByRole('button', { name: 'Make the resource' }).closest('form')
  if (form) fireEvent.submit(form)
  await waitFor(() => expect(screen.getByRole('combobox', { name: 'Cluster' }).getAttribute('aria-invalid')).toBe('true'))
  expect(screen.getByText('the connector of east has no rights in that namespace')).toBeTruthy()
})

test('the way is shown, and sent only when it was changed', async () => {
  const { asked } = await connection()
  expect((await screen.findByText(/^through/)).textContent).toBe('through east')
  expect((await screen.findByRole('link', { name: 'east' })).getAttribute('href')).toBe('/clusters/east')
  fireEvent.click(await screen.findByRole('button', { name: 'Save' }))
  await waitFor(() => expect(asked.filter(({ method }) => method === 'PATCH')).toHaveLength(1))
  fireEvent.click(screen.getByRole('radio', { name: 'Directly' }))
  fireEvent.click(screen.getByRole('button', { name: 'Save' }))
  await waitFor(() => expect(asked.filter(({ method }) => method === 'PATCH')).toHaveLength(2))
  const bodies = asked.filter(({ method }) => method === 'PATCH').map(({ body }) => body as { through?: object })
  expect(bodies.map(({ through: sent }) => sent)).toEqual([undefined, { cluster: '', place: '' }])
})

test('who may not see the cluster keeps it without knowing it', async () => {
  const hidden = { ...orders, through: { cluster: '', place: through.place } }
  const { asked } = await connection((one) => (one.method === 'GET' && one.path.startsWith('/resources/') ? hidden : one.path === '/clusters' ? page([]) : answer(one)))
  expect((await screen.findAllByText('a cluster that you do not see')).length).toBeGreaterThan(0)
  await screen.findByRole('button', { name: 'Save' })
  fill('Name', 'orders')
  const form = screen.getByRole('button', { name: 'Save' }).closest('form')
  if (form) fireEvent.submit(form)
  await waitFor(() => expect(asked.some(({ method }) => method === 'PATCH')).toBe(true))
  expect(asked.find(({ method }) => method === 'PATCH')?.body).not.toHaveProperty('through')
  expect(asked.find(({ method }) => method === 'PATCH')?.body, 'the settings say to which port').not.toHaveProperty('settings')
})
