import { screen } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { cluster, drawPage, pageOf } from '../clusters/testing'
import { objectOf, placeOf, verbOf } from './needs'
import { OverviewPage } from './OverviewPage'
import type { Overview } from './useOverview'

afterEach(() => vi.unstubAllGlobals())

const overview = (part: Partial<Overview> = {}): Overview => ({
  asOf: '2026-11-23T00:00:00Z', lastProof: '2026-11-22T00:00:00Z', needs: [], needsTotal: 0, clusters: { connected: 1 }, secrets: {}, accounts: { verified: 962, unverified: 31, out_of_sync: 4 }, mappings: {}, runs: { done: 2 }, due: { overdue: 0, day: 0 }, ...part,
})
const drawIt = (it: Overview, can?: Record<string, boolean>) =>
  drawPage('/', OverviewPage, '/', {
    'GET /overview': () => it,
    'GET /clusters': () => pageOf([cluster()], { connected: 1 }),
    'GET /runs': () => pageOf([]),
    'GET /mappings': () => pageOf([{ id: 'm1', clusterName: 'prod-eu' }]),
  }, can)

test('what needs somebody is named with its verb, and the answer comes from one call', async () => {
  const { asked } = await drawIt(overview({
    needsTotal: 25,
    needs: [
      { id: 'r1', kind: 'run', name: 'orders-db/app_rw', state: 'needs_attention', reason: '10 of 37 keys not written' },
      { id: 'm1', kind: 'mapping', name: 'shop/db/password', state: 'conflict' },
    ],
  }))
  expect((await screen.findByRole('link', { name: 'Open run: orders-db/app_rw' })).getAttribute('href')).toBe('/runs/r1')
  expect(await screen.findByText('prod-eu/shop/db/password')).toBeTruthy()
  expect(screen.getByRole('link', { name: 'Decide: shop/db/password' }).getAttribute('href')).toBe('/secrets/prod-eu/shop/db')
  expect(screen.getByText('The 2 oldest are listed; 23 more wait.')).toBeTruthy()
  expect(screen.getByText(/962 of 997 accounts log in/)).toBeTruthy()
  expect(asked.filter(({ path }) => path === '/overview')).toHaveLength(1)
  await expectAccessible()
})

test('when nothing waits it is one line', async () => {
  await drawIt(overview())
  expect((await screen.findByText(/Nothing needs you/)).textContent).toMatch(/^Nothing needs you. Last proof/)
})

test('a first visit says what to do, and without the right whom to ask', async () => {
  const none = overview({ clusters: {}, accounts: {}, runs: {} })
  const first = await drawIt(none)
  expect((await screen.findByRole('link', { name: 'Connect a cluster' })).getAttribute('href')).toBe('/clusters/new')
  first.unmount()
  await drawIt(none, { 'cluster.create': false })
  expect(await screen.findByText(/You have no grant/)).toBeTruthy()
})

test('the schedule is summed up: what is overdue, what is due soon, and what is next', async () => {
  await drawIt(overview({ due: { overdue: 2, day: 14, next: { id: 'a1', name: 'billing_rw', resourceName: 'billing-db', at: '2026-11-23T15:00:00Z' } } }))
  const due = await screen.findByRole('region', { name: 'Schedule' })
  expect(due.textContent).toMatch(/overdue 2 · 14 due within 24 hours · next: billing-db\/billing_rw/)
  expect(screen.getByRole('link', { name: '14 due within 24 hours' }).getAttribute('href')).toBe('/schedule?range=24h')
  expect(screen.getByRole('link', { name: 'billing-db/billing_rw' }).getAttribute('href')).toBe('/resources/billing-db/accounts/billing_rw')
})

test('each need leads to its place', () => {
  expect(placeOf({ kind: 'cluster', id: 'c', name: 'a b', state: 'unreachable' })).toEqual({ to: '/clusters/a%20b', search: { tab: 'connection' } })
  expect(placeOf({ kind: 'cluster', id: 'c', name: 'a', state: 'unauthorised' })).toEqual({ to: '/clusters/a/edit' })
  expect(placeOf({ kind: 'account', id: 'x', name: 'prod/shop/db', state: 'locked_out' })).toEqual({ to: '/resources/prod%2Fshop/accounts/db' })
  expect(placeOf({ kind: 'mapping', id: 'x', name: 'shop/db/password', state: 'drift' })).toEqual({ to: '/secrets', search: { q: 'db' } })
  expect(objectOf({ kind: 'mapping', state: 'drift' })).toBe('key')
  expect(objectOf({ kind: 'ghost', state: 'drift' })).toBeUndefined()
  expect(verbOf({ kind: 'ghost', state: 'x' })).toBe('Open')
})
