import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { type Asked, drawPage, page, refuse } from '../resources/testPage'
import type { Mapping } from './account'
import { AccountPage } from './AccountPage'
import { answers, mapping } from './fixtures'

afterEach(() => vi.unstubAllGlobals())

const patches = (asked: readonly Asked[]) => asked.filter(({ method }) => method === 'PATCH').map(({ path, body, headers }) => [path, body, headers.get('If-Match')])
const at = (search: string, answer: (asked: Asked) => unknown) => drawPage({ route: '/resources/$resource/accounts/$account', at: `/resources/orders-db/accounts/app_rw${search}`, page: AccountPage, answer })

/** A server with one mapping, which is changed under its revision alone. */
function mappingServer(first: Mapping) {
  const server = {
    stored: first,
    answer: (one: Asked): unknown => {
      if (one.method !== 'PATCH') return answers({ 'GET /mappings': page([server.stored]), 'GET /mappings/m1': server.stored })(one)
      if (one.headers.get('If-Match') !== `"${server.stored.rev}"`) return refuse(412, { type: 'stale', title: 'It has changed' })
      server.stored = { ...server.stored, ...(one.body as object), rev: server.stored.rev + 1 }
      return server.stored
    },
  }
  return server
}

async function editMapping() {
  const drawer = within(await screen.findByRole('dialog'))
  fireEvent.click(await drawer.findByRole('button', { name: 'Edit…' }))
  await screen.findByRole('radiogroup', { name: 'After a reset' })
  return within(screen.getByRole('dialog', { name: 'Edit shop/db: password' }))
}

test('a mapping says what is done after a reset, and it is changed in place under its revision', async () => {
  const server = mappingServer(mapping as Mapping)
  const { asked } = await at('?tab=mappings', server.answer)
  const row = (await screen.findByRole('link', { name: 'shop/db' })).closest('[role="row"]')
  expect(row?.textContent).toContain('restart')
  fireEvent.click(row as Element)
  expect(await screen.findByText('restart what reads it')).toBeTruthy()
  const dialog = await editMapping()
  await expectAccessible()
  const user = userEvent.setup()
  expect(dialog.getByRole('radio', { name: 'Restart what reads it' })).toHaveProperty('checked', true)
  dialog.getByRole('radio', { name: 'Leave it alone' }).focus()
  await user.keyboard(' ')
  expect(dialog.getByRole('radio', { name: 'Leave it alone' })).toHaveProperty('checked', true)
  fireEvent.click(dialog.getByRole('button', { name: 'Save the mapping' }))
  await waitFor(() => expect(patches(asked)).toEqual([['/mappings/m1', { onWrite: 'nothing' }, '"2"']]))
  await waitFor(() => expect(screen.getByRole('link', { name: 'shop/db' }).closest('[role="row"]')?.textContent).toContain('leave alone'))
  await waitFor(() => expect(document.activeElement?.getAttribute('role')).toBe('grid'))
})

test('a change of a mapping that came second shows both answers and overwrites none', async () => {
  const server = mappingServer(mapping as Mapping)
  const { asked } = await at('?tab=mappings&open=m1', server.answer)
  const dialog = await editMapping()
  fireEvent.click(dialog.getByRole('radio', { name: 'Leave it alone' }))
  server.stored = { ...server.stored, onWrite: 'ask', rev: 3 }
  fireEvent.click(dialog.getByRole('button', { name: 'Save the mapping' }))
  expect(await dialog.findByRole('radio', { name: 'Keep mine leave it alone' })).toHaveProperty('checked', true)
  expect(dialog.getByText('It has changed')).toBeTruthy()
  fireEvent.click(dialog.getByRole('radio', { name: 'Take theirs ask first' }))
  expect(dialog.getByRole('radio', { name: 'Ask first' })).toHaveProperty('checked', true)
  fireEvent.click(dialog.getByRole('radio', { name: 'Keep mine leave it alone' }))
  fireEvent.click(dialog.getByRole('button', { name: 'Save the mapping' }))
  await waitFor(() => expect(patches(asked).map(([, body, rev]) => [body, rev])).toEqual([[{ onWrite: 'nothing' }, '"2"'], [{ onWrite: 'nothing' }, '"3"']]))
})

test('who may not change a mapping is told why', async () => {
  const server = mappingServer({ ...mapping, can: { update: { allowed: false, reason: 'It needs a grant of at least manage.' }, delete: { allowed: true } } } as Mapping)
  await at('?tab=mappings&open=m1', server.answer)
  const button = await screen.findByRole('button', { name: 'Edit…' })
  expect(button.getAttribute('aria-description')).toBe('It needs a grant of at least manage.')
  fireEvent.click(button)
  expect(screen.queryByRole('radiogroup')).toBeNull()
})
