import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { drawPage } from '../resources/testPage'
import { answers } from './fixtures'
import { policyOf, standardRecipe } from './policy'
import { ResetPage } from './ResetPage'
import { writeText } from './WillWrite'

afterEach(() => vi.unstubAllGlobals())

const at = (query = '') =>
  drawPage({
    route: '/resources/$resource/accounts/$account/reset',
    at: `/resources/orders-db/accounts/app_rw/reset${query}`,
    page: ResetPage,
    answer: answers({ 'POST /accounts/a1/reset': { id: 'run1' } }),
  })
const sent = (asked: { method: string; body: unknown }[]) => asked.find(({ method }) => method === 'POST')?.body

test('the default recipe is the server’s, a changed one is sent whole', () => {
  expect(policyOf(standardRecipe)).toBeUndefined()
  expect(policyOf({ ...standardRecipe, length: 20 })).toEqual({ length: 20, require: { lower: 1, upper: 1, digits: 1, symbols: 1 } })
  expect(policyOf({ ...standardRecipe, from: ['lower', 'digits'], exclude: 'l1' })).toEqual({
    length: 32, alphabets: ['lower', 'digits'], exclude: 'l1', require: { lower: 1, upper: 0, digits: 1, symbols: 0 },
  })
})

test('the sentence says what is written and what is not', () => {
  const at = (state: string, clusterName: string) => ({ state, clusterName })
  expect(writeText([], 0)).toContain('only the system')
  expect(writeText([at('in_sync', 'a'), at('behind', 'b')], 2)).toBe('It writes 2 keys in 2 clusters.')
  expect(writeText([at('in_sync', 'a'), at('hands_off', 'a')], 2)).toContain('1 is not written')
})

test('generate: the recipe goes to the server, and the run’s page opens', async () => {
  const { asked, router } = await at()
  fireEvent.change(await screen.findByLabelText('Length'), { target: { value: '24' } })
  expect(await screen.findByText('It writes 2 keys in 1 cluster.')).toBeTruthy()
  await expectAccessible()
  fireEvent.click(screen.getByRole('button', { name: 'Reset app_rw' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs/run1'))
  expect(sent(asked)).toEqual({ policy: { length: 24, require: { lower: 1, upper: 1, digits: 1, symbols: 1 } } })
})

test('an older version is set again as the address names it', async () => {
  const { asked, router } = await at('?version=2')
  await screen.findByDisplayValue(/^v2/)
  fireEvent.click(screen.getByRole('button', { name: 'Reset app_rw' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs/run1'))
  expect(sent(asked)).toEqual({ version: 2 })
})

test('a typed value goes from the field to the request, and nowhere else', async () => {
  const { asked, router } = await at()
  fireEvent.click(await screen.findByRole('radio', { name: 'Type a value' }))
  fireEvent.change(await screen.findByLabelText('Value'), { target: { value: 'c4n4ry <&>' } })
  expect(router.state.location.href).not.toContain('c4n4ry')
  fireEvent.click(screen.getByRole('button', { name: 'Reset app_rw' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/runs/run1'))
  expect(sent(asked)).toEqual({ value: 'c4n4ry <&>' })
  expect(document.body.innerHTML).not.toContain('c4n4ry')
})
