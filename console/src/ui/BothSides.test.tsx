import { fireEvent, screen, within } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { BothSides } from './BothSides'
import { contested, firstSide } from './sides'

const name = { key: 'name', label: 'Name', base: 'prod', mine: 'prod-eu', theirs: 'production' }
const host = { key: 'host', label: 'Host', base: 'db1', mine: 'db1', theirs: 'db2' }
const port = { key: 'port', label: 'Port', base: '1', mine: '2', theirs: '2' }

test('only what differs is contested; what was not typed here is theirs', () => {
  expect(contested([name, host, port])).toEqual([name, host])
  expect([name, host].map(firstSide)).toEqual(['mine', 'theirs'])
})

test('both sides are shown, and a choice is handed on', async () => {
  const onChoose = vi.fn()
  draw(<BothSides fields={[name, host]} onChoose={onChoose} />)
  const field = within(screen.getByRole('group', { name: 'Name' }))
  expect(field.getByRole<HTMLInputElement>('radio', { name: 'Keep mine prod-eu' }).checked).toBe(true)
  expect(screen.getByRole<HTMLInputElement>('radio', { name: 'Take theirs db2' }).checked).toBe(true)
  fireEvent.click(field.getByRole('radio', { name: 'Take theirs production' }))
  expect(onChoose.mock.calls).toEqual([['name', 'theirs']])
  await expectAccessible()
})
