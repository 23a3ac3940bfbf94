import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { LiveBadge } from './LiveBadge'

test('says live, reconnecting, or since when it is stale', async () => {
  const { rerender } = draw(<LiveBadge liveness={{ state: 'live' }} />)
  expect(screen.getByRole('status').textContent).toBe('live')
  rerender(<LiveBadge liveness={{ state: 'reconnecting' }} />)
  expect(screen.getByRole('status').textContent).toBe('reconnecting')
  rerender(<LiveBadge liveness={{ state: 'stale', since: Date.UTC(2026, 10, 12, 14, 2, 10) }} />)
  expect(screen.getByRole('status').textContent).toMatch(/^stale since 12 Nov.*:02:10/)
  await expectAccessible()
})
