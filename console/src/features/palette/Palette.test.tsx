import { fireEvent, screen, waitFor } from '@testing-library/react'
import { useState } from 'react'
import { expect, test, vi } from 'vitest'
import { type Answer, drawPage, pageOf } from '../../test/page'
import { expectAccessible } from '../../test/render'
import { Palette } from './Palette'
import type { Jump } from './palette'

const answer: Answer = ({ path, query }) => {
  if (path === '/clusters') return pageOf([{ id: 'c1', name: 'prod-eu' }])
  if (path === '/secrets') return pageOf([{ id: 's1', namespace: 'shop', name: `${query.get('q')}-db`, clusterName: 'prod-eu' }])
  if (path === '/policies') return { items: [{ id: 'p1', name: 'for-orders' }, { id: 'default', name: 'default' }] }
  return pageOf([])
}

async function drawPalette(recent: readonly Jump[] = []) {
  const onJump = vi.fn()
  const Page = () => {
    const [opened, setOpened] = useState(true)
    return <Palette opened={opened} onClose={() => setOpened(false)} visible={['overview', 'clusters', 'settings']} recent={recent} onJump={onJump} />
  }
  const drawn = await drawPage({ route: '/runs', at: '/runs', page: Page, answer })
  const field = await screen.findByRole<HTMLInputElement>('combobox', { name: 'Search or jump to' })
  const options = () => screen.getAllByRole('option').map(({ textContent }) => textContent)
  return { ...drawn, field, options, onJump }
}

test('it lists what was visited, then the pages, and one jumps with the keyboard', async () => {
  const { field, options, router, onJump } = await drawPalette([{ id: 'cluster prod-us', label: 'prod-us', place: { to: '/clusters/prod-us' } }])
  expect(screen.getByRole('dialog', { name: 'Search or jump to' })).toBeTruthy()
  expect(options().slice(0, 4)).toEqual(['prod-us', 'Overview', 'Clusters', 'Settings'])
  await expectAccessible()
  fireEvent.keyDown(field, { key: 'ArrowDown' })
  fireEvent.keyDown(field, { key: 'ArrowDown' })
  expect(screen.getByRole('option', { selected: true }).id).toBe(field.getAttribute('aria-activedescendant'))
  fireEvent.keyDown(field, { key: 'Enter' })
  await waitFor(() => expect(router.state.location.pathname).toBe('/clusters'))
  expect(onJump.mock.calls[0]?.[0]).toMatchObject({ label: 'Clusters' })
})

test('objects are searched by the server, at most eight of a kind', async () => {
  const { field, asked, router } = await drawPalette()
  expect(asked).toEqual([])
  fireEvent.change(field, { target: { value: 'orders' } })
  expect(await screen.findByText('for-orders')).toBeTruthy()
  expect(screen.queryByText('default')).toBeNull()
  fireEvent.click(await screen.findByText('shop/orders-db'))
  await waitFor(() => expect(router.state.location.pathname).toBe('/secrets/prod-eu/shop/orders-db'))
  expect(asked.map(({ path, search }) => `${path}${search}`).sort()).toEqual(['/accounts?q=orders&limit=8', '/clusters?q=orders&limit=8', '/policies', '/resources?q=orders&limit=8', '/secrets?q=orders&limit=8'])
})

test('what looks like a value is not sent', async () => {
  const { field, asked } = await drawPalette()
  fireEvent.change(field, { target: { value: 'Xk29vQ7mPz41RtLb' } })
  expect((await screen.findAllByText(/looks like a value/)).length).toBeGreaterThan(0)
  expect(asked).toEqual([])
})
