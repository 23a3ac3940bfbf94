import { act, fireEvent, screen, within } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { expectAccessible } from '../test/render'
import { drawAt } from '../test/route'
import type { EntryKey } from './nav'
import { PageHead } from './PageHead'
import { Shell, type ShellProps } from './Shell'

const all: EntryKey[] = ['overview', 'clusters', 'secrets', 'resources', 'runs', 'audit', 'settings']

const drawShell = (props: Partial<ShellProps> = {}, address = '/clusters/prod-eu') =>
  drawAt(address, () => (
    <Shell user={{ name: 'Anna' }} visible={all} liveness={{ state: 'live' }} onSignOut={() => {}} {...props}>
      <PageHead title="prod-eu" above={[{ label: 'Clusters', to: '/clusters' }]}>Connected.</PageHead>
    </Shell>
  ))

test('the skip link is first and takes the focus to the content', async () => {
  const { container } = await drawShell()
  const first = container.querySelector('a, button')
  expect(first?.textContent).toBe('Skip to the content')
  if (first) fireEvent.click(first)
  expect(document.activeElement).toBe(screen.getByRole('main'))
  await expectAccessible()
})

test('a new page takes the focus to its heading and names breadcrumb and tab', async () => {
  await drawShell()
  expect(document.activeElement).toBe(screen.getByRole('heading', { level: 1 }))
  expect(document.title).toBe('prod-eu · Keyturn')
  const crumbs = within(screen.getByRole('navigation', { name: 'Where you are' }))
  expect(crumbs.getByRole('link', { name: 'Clusters' }).getAttribute('href')).toBe('/clusters')
  expect(crumbs.getAllByRole('listitem').at(-1)?.getAttribute('aria-current')).toBe('page')
})

test('what may not be opened is not there, nor its empty group', async () => {
  await drawShell({ visible: ['overview', 'audit'] })
  const rail = within(screen.getByRole('navigation', { name: 'Main' }))
  expect(rail.getAllByRole('link').map((a) => a.textContent?.trim())).toEqual(['Overview', 'Audit'])
  expect(rail.queryByText('Inventory')).toBeNull()
})

test('the entry of the page, or of one above it, is the current one', async () => {
  await drawShell({ waiting: { runs: 2, audit: 0 } })
  const rail = within(screen.getByRole('navigation', { name: 'Main' }))
  expect(rail.getByRole('link', { name: 'Clusters' }).getAttribute('aria-current')).toBe('page')
  expect(rail.getByRole('link', { name: 'Overview' }).getAttribute('aria-current')).toBeNull()
  expect(rail.getByRole('link', { name: 'Runs 2 waiting' })).toBeTruthy()
})

test('the sheet opens, and closes with Escape and with a choice', async () => {
  await drawShell()
  const open = () => act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Open the menu' })))
  await open()
  const sheet = screen.getByRole('dialog', { name: 'Keyturn' })
  await expectAccessible()
  await act(async () => void fireEvent.keyDown(sheet, { key: 'Escape' }))
  expect(screen.queryByRole('dialog')).toBeNull()
  await open()
  await act(async () => void fireEvent.click(within(screen.getByRole('dialog')).getByRole('link', { name: 'Runs' })))
  expect(screen.queryByRole('dialog')).toBeNull()
})

test('search, help and sign out are the caller\'s; without them there is no button', async () => {
  const onJump = vi.fn()
  const onSignOut = vi.fn()
  await drawShell({ onJump, onSignOut, running: 1 })
  fireEvent.keyDown(document.documentElement, { key: 'k', code: 'KeyK', ctrlKey: true })
  fireEvent.click(screen.getByRole('button', { name: /Search or jump/ }))
  expect(onJump).toHaveBeenCalledTimes(2)
  expect(screen.queryByRole('button', { name: /help/ })).toBeNull()
  expect(screen.getByRole('link', { name: '1 run' }).getAttribute('href')).toBe('/runs?state=running')
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: /Anna/ })))
  await expectAccessible()
  fireEvent.click(screen.getByRole('menuitem', { name: 'Log out' }))
  expect(onSignOut).toHaveBeenCalledOnce()
})
