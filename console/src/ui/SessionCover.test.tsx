import { act, fireEvent, screen } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { SessionCover, type SessionCoverProps } from './SessionCover'

afterEach(() => vi.unstubAllGlobals())

const calls = () => ({ onStay: vi.fn(async () => {}), onEnded: vi.fn(), onBack: vi.fn(), onOther: vi.fn() })
const cover = (props: Partial<SessionCoverProps> & ReturnType<typeof calls>) => (
  <SessionCover user="anna" ended={false} {...props}><label>Draft<input defaultValue="half a note" /></label></SessionCover>
)

test('it counts down from two minutes, offers to stay, and ends', async () => {
  vi.useFakeTimers()
  const on = calls()
  draw(cover({ ...on, idleUntil: Date.now() + 180_000 }))
  expect(screen.queryByRole('dialog')).toBeNull()
  act(() => void vi.advanceTimersByTime(60_000))
  expect(screen.getByRole('dialog').textContent).toContain('2 min')
  act(() => void vi.advanceTimersByTime(1_000))
  expect(screen.getByRole('dialog').textContent).toContain('1 min 59 s')
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Stay signed in' })))
  expect(on.onStay).toHaveBeenCalledOnce()
  expect(on.onEnded).not.toHaveBeenCalled()
  act(() => void vi.advanceTimersByTime(119_000))
  expect(on.onEnded).toHaveBeenCalledOnce()
  expect(screen.queryByRole('dialog')).toBeNull()
})

test('a longer session takes the question away', () => {
  vi.useFakeTimers()
  const on = calls()
  const { rerender } = draw(cover({ ...on, idleUntil: Date.now() + 60_000 }))
  expect(screen.getByRole('dialog')).toBeTruthy()
  rerender(cover({ ...on, idleUntil: Date.now() + 900_000 }))
  expect(screen.queryByRole('dialog')).toBeNull()
})

test.each([['anna', 'onBack'], ['ben', 'onOther']] as const)('the page is covered, keeps its draft, and %s signs in over it', async (name, called) => {
  vi.stubGlobal('fetch', async () => new Response(null, { status: 204 }))
  const on = calls()
  draw(cover({ ...on, ended: true }))
  const dialog = document.querySelector('dialog')
  expect(dialog?.open).toBe(true)
  expect(screen.getByLabelText<HTMLInputElement>('Draft').value).toBe('half a note')
  await expectAccessible()
  dialog?.close()
  dialog?.dispatchEvent(new Event('close'))
  expect(dialog?.open).toBe(true)
  fireEvent.change(screen.getByLabelText('Name'), { target: { value: name } })
  fireEvent.change(screen.getByLabelText('Password'), { target: { value: 'x' } })
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Sign in' })))
  expect(on[called]).toHaveBeenCalledOnce()
})
