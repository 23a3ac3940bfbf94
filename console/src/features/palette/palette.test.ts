import { expect, test } from 'vitest'
import { actionsFor, type Jump, matching, objectAt, once, pagesFor, verbsAt, withRecent } from './palette'

const yes = { allowed: true }
const jump = (label: string, hint?: string): Jump => ({ id: label, label, hint, place: { to: `/${label}` } })

test('only what the person may open or begin is offered', () => {
  expect(pagesFor(['overview', 'settings'], {}).map(({ label }) => label)).toEqual(['Overview', 'Settings', 'Tokens', 'Server', 'Appearance'])
  expect(pagesFor(['audit'], { 'user.list': yes }).map(({ label }) => label)).toContain('Users')
  expect(actionsFor({ 'cluster.create': yes, 'user.create': { allowed: false } }).map(({ label }) => label)).toEqual(['Connect a cluster'])
})

test('the open object has the verbs that its can allows', () => {
  expect(objectAt('/clusters/new')).toBeUndefined()
  expect(objectAt('/clusters/prod%2Feu/edit')).toEqual({ kind: 'cluster', name: 'prod/eu' })
  expect(verbsAt('/resources/orders-db/accounts/app_rw', { reset: yes, map: { allowed: false } })).toEqual([
    { id: 'do reset /resources/orders-db/accounts/app_rw', label: 'Reset app_rw', place: { to: '/resources/orders-db/accounts/app_rw/reset' } },
  ])
  expect(verbsAt('/resources/orders-db', { reset: yes })).toEqual([])
})

test('every typed word must be there, and what begins with the text comes first', () => {
  const all = [jump('Users', 'Settings'), jump('Settings'), jump('Server', 'Settings')]
  expect(matching(all, '').map(({ label }) => label)).toEqual(['Users', 'Settings', 'Server'])
  expect(matching(all, ' set ').map(({ label }) => label)).toEqual(['Settings', 'Users', 'Server'])
  expect(matching(all, 'settings user').map(({ label }) => label)).toEqual(['Users'])
})

test('a place is listed once, in the first group that has it', () => {
  const [a, b] = [jump('a'), jump('b')]
  expect(once([{ label: 'Recent', jumps: [a] }, { label: 'Pages', jumps: [a, b] }, { label: 'Clusters', jumps: [b] }])).toEqual([
    { label: 'Recent', jumps: [a] },
    { label: 'Pages', jumps: [b] },
  ])
  expect(withRecent([a, b], b)).toEqual([b, a])
})
