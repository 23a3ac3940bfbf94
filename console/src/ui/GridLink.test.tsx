import { expect, test } from 'vitest'
import { pathOf } from './GridLink'

test('a path has its parameters percent-encoded', () => {
  expect(pathOf({ to: '/secrets/$cluster/$namespace/$name', params: { cluster: 'prod-eu', namespace: 'a/b', name: 'ü?#' } })).toBe('/secrets/prod-eu/a%2Fb/%C3%BC%3F%23')
  expect(pathOf({ to: '/runs' })).toBe('/runs')
})
