import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { Problem } from '../../api/problem'
import { expectAccessible } from '../../test/render'
import { drawPage, page, refuse } from '../resources/testPage'
import { AssociatePage, splitPath } from './AssociatePage'
import { partly, verdictOf } from './Compared'
import { account, answers, ByBody } from './fixtures'

afterEach(() => vi.unstubAllGlobals())

const search = '?cluster=east&secret=shop/db&key=password'
const at = (comparison: object, more: Record<string, unknown> = {}, query = search) =>
  drawPage({
    route: '/resources/$resource/accounts/$account/associate',
    at: `/resources/orders-db/accounts/app_rw/associate${query}`,
    page: AssociatePage,
    answer: answers({ 'POST /mappings/compare': comparison, 'POST /mappings': { id: 'm9' }, ...more }),
  })

const pair = { ...account, strategy: 'alternating', pair: 'app_ro' }
const other = { secretId: 's2', cluster: 'west', namespace: 'pay', secret: 'app', key: 'dsn' }
const maps = (asked: { method: string; path: string; body: unknown }[]) => asked.filter(({ method, path }) => method === 'POST' && path === '/mappings').map(({ body }) => body)

test('a verdict for each result', () => {
  expect(verdictOf('equal', 3).mappable).toBe(true)
  expect(verdictOf('mapped', 3).mappable).toBe(false)
  expect(verdictOf('no_value', 0).text).toContain('becomes its first')
})

test('an address that names no Secret names none', () => {
  expect(splitPath('shop/db')).toEqual({ namespace: 'shop', name: 'db' })
  expect(splitPath('shop')).toBeUndefined()
  expect(splitPath('a/b/c')).toBeUndefined()
})

test('what was mapped before a refusal is said to stay', () => {
  const problem = new Problem({ type: 'conflict', title: 'No', status: 409 })
  expect(partly(problem, 0, 2)).toBe(problem)
  expect(partly(problem, 1, 2).fields.unchanged).toContain('1 of 2 keys were mapped')
})

test('equal: the key is mapped, and the ticked others with it', async () => {
  const { asked, router } = await at({ result: 'equal', others: [other] })
  expect(await screen.findByText(/Equal to v3/)).toBeTruthy()
  fireEvent.click(screen.getByRole('checkbox'))
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Map 2 keys and save' }))
  await waitFor(() => expect(router.state.location.href).toBe('/resources/orders-db/accounts/app_rw?tab=mappings'))
  expect(maps(asked)).toEqual([{ accountId: 'a1', secretId: 's1', key: 'password', onWrite: 'restart' }, { accountId: 'a1', secretId: 's2', key: 'dsn', onWrite: 'restart' }])
})

test('differs: nothing is preselected, and nothing is mapped before it is said which is right', async () => {
  const { asked } = await at({ result: 'differs' })
  const save = await screen.findByRole<HTMLButtonElement>('button', { name: 'Map and save' })
  expect(save.disabled).toBe(true)
  const right = within(screen.getByRole('radiogroup', { name: 'Which is right?' }))
  expect(right.getAllByRole<HTMLInputElement>('radio').some(({ checked }) => checked)).toBe(false)
  fireEvent.click(screen.getByRole('radio', { name: /cluster/ }))
  fireEvent.click(save)
  await waitFor(() => expect(maps(asked)).toEqual([{ accountId: 'a1', secretId: 's1', key: 'password', onWrite: 'restart', keep: 'cluster' }]))
})

test('a value that holds more than a password is compared where its form says the password stands', async () => {
  const place = { format: 'json', at: '/db/password' }
  const { asked } = await at(new ByBody((asked) => ((asked as { place?: object }).place === undefined ? { result: 'differs', places: [place, { format: 'env', at: 'X' }] } : { result: 'equal' })))
  expect(await screen.findByText(/Equal to v3/)).toBeTruthy()
  expect(screen.getByLabelText<HTMLInputElement>('The password is', { selector: 'input' }).value).toBe('a part of it: JSON at /db/password')
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Map and save' }))
  await waitFor(() => expect(maps(asked)).toEqual([{ accountId: 'a1', secretId: 's1', key: 'password', place, onWrite: 'restart' }]))
})

test('what is done after a reset is chosen with what it means, stays when the place changes, and holds for the others too', async () => {
  const { asked } = await at({ result: 'equal', others: [other], places: [{ format: 'json', at: '/db/password' }] })
  const group = within(await screen.findByRole('radiogroup', { name: 'After a reset' }))
  expect(group.getAllByRole<HTMLInputElement>('radio').map(({ value, checked }) => [value, checked])).toEqual([['restart', true], ['ask', false], ['nothing', false]])
  expect(screen.getByText(/^The run stops and names them/)).toBeTruthy()
  fireEvent.click(group.getByRole('radio', { name: 'Ask first' }))
  fireEvent.click(screen.getByLabelText('The password is', { selector: 'input' }))
  fireEvent.click(await screen.findByRole('option', { name: 'a part of it: JSON at /db/password' }))
  expect((await screen.findByRole<HTMLInputElement>('radio', { name: 'Ask first' })).checked).toBe(true)
  fireEvent.click(screen.getByRole('checkbox'))
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Map 2 keys and save' }))
  await waitFor(() => expect(maps(asked).map((body) => (body as { onWrite: string }).onWrite)).toEqual(['ask', 'ask']))
})

test('a place that a person gives is asked about when it is whole', async () => {
  const { asked } = await at(new ByBody((asked) => ((asked as { place?: object }).place === undefined ? { result: 'differs' } : { result: 'unreadable', reason: 'The stored value is not one JSON document' })))
  fireEvent.click(await screen.findByLabelText('The password is', { selector: 'input' }))
  fireEvent.click(await screen.findByRole('option', { name: 'another part of it…' }))
  fireEvent.click(await screen.findByLabelText('Format', { selector: 'input' }))
  fireEvent.click(await screen.findByRole('option', { name: 'JSON' }))
  const pointer = await screen.findByLabelText(/JSON pointer/)
  fireEvent.change(pointer, { target: { value: '/password' } })
  fireEvent.blur(pointer)
  expect(await screen.findByText(/not one JSON document/)).toBeTruthy()
  expect(screen.queryByRole('button', { name: /Map/ })).toBeNull()
  const places = asked.filter(({ path }) => path === '/mappings/compare').map(({ body }) => (body as { place?: object }).place)
  expect(places).toEqual([undefined, { format: 'url' }, { format: 'json', at: '/password' }])
})

test('of a pair the user name changes too, so a person says what stands there, and it is compared as that', async () => {
  const { asked } = await at(new ByBody((asked) => ((asked as { holds?: string }).holds === undefined ? { result: 'differs', places: [{ format: 'url' }] } : { result: 'equal' })), { 'GET /accounts': page([pair]), 'GET /accounts/a1': pair })
  expect(await screen.findByText(/Equal to v3/)).toBeTruthy()
  const what = screen.getByLabelText<HTMLInputElement>('What stands there', { selector: 'input' })
  expect(what.value).toBe('user name and password')
  expect(screen.getByText(/a pair, app_rw and app_ro/)).toBeTruthy()
  fireEvent.click(screen.getByLabelText('They are', { selector: 'input' }))
  fireEvent.click(await screen.findByRole('option', { name: 'the whole value' }))
  fireEvent.click(what)
  fireEvent.click(await screen.findByRole('option', { name: 'the user name' }))
  expect(await screen.findByText(/Equal to v3/)).toBeTruthy()
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Map and save' }))
  await waitFor(() => expect(maps(asked)).toEqual([{ accountId: 'a1', secretId: 's1', key: 'password', holds: 'username', onWrite: 'restart' }]))
})

test('owned by another controller: its advice; mapped already: no button', async () => {
  const { unmount } = await at({ result: 'equal', owner: 'ExternalSecret shop/db', advice: 'Change it at its source.' })
  expect(await screen.findByText('ExternalSecret shop/db')).toBeTruthy()
  expect(screen.getByText('Change it at its source.')).toBeTruthy()
  unmount()
  await at({ result: 'mapped', reason: 'The key is mapped to another account.' })
  expect(await screen.findByText('The key is mapped to another account.')).toBeTruthy()
  expect(screen.queryByRole('button', { name: /Map/ })).toBeNull()
})

test('a refusal stays on the page with its cure', async () => {
  await at({ result: 'equal' }, { 'POST /mappings': refuse(409, { type: 'key-mapped', title: 'The key is mapped', cure: 'Delete that mapping first.' }) })
  fireEvent.click(await screen.findByRole('button', { name: 'Map and save' }))
  expect(await screen.findByText('Delete that mapping first.')).toBeTruthy()
})
