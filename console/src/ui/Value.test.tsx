import { act, fireEvent, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { Covered } from './covered'
import { Value } from './Value'

const canary = 'c4nary <&"\'>$ %00'
const written: string[] = []
let refuse = false

beforeEach(() => {
  written.length = 0
  refuse = false
  Object.defineProperty(navigator, 'clipboard', {
    configurable: true,
    value: {
      writeText: async (text: string) => {
        if (refuse) throw new DOMException('Document is not focused', 'NotAllowedError')
        written.push(text)
      },
    },
  })
})
afterEach(() => void Reflect.deleteProperty(navigator, 'clipboard'))

const shown = () => document.body.textContent?.includes(canary) ?? false
const click = (name: RegExp) => act(async () => void fireEvent.click(screen.getByRole('button', { name })))
const drawValue = () => draw(<Value name="app_rw v12" reveal={async () => canary} />)

test('twelve dots whatever the length, and no request before it is asked for', async () => {
  const reveal = vi.fn(async () => canary)
  const { container } = draw(<Value name="app_rw v12" reveal={reveal} />)
  expect(container.textContent).toContain('•'.repeat(12))
  expect(reveal).not.toHaveBeenCalled()
  await expectAccessible()
})

test('a value is a text node and in no attribute', async () => {
  const { container } = drawValue()
  await click(/Reveal/)
  expect(shown()).toBe(true)
  for (const el of container.querySelectorAll('*')) {
    for (const { value } of Array.from(el.attributes)) expect(value).not.toContain('c4nary')
  }
  expect(screen.getByText('Value shown for 30 seconds')).toBeTruthy()
  await expectAccessible()
})

test('it hides itself after thirty seconds', async () => {
  vi.useFakeTimers()
  drawValue()
  await click(/Reveal/)
  act(() => void vi.advanceTimersByTime(29_000))
  expect(shown()).toBe(true)
  act(() => void vi.advanceTimersByTime(1_000))
  expect(shown()).toBe(false)
})

test.each([
  ['Hide', () => fireEvent.click(screen.getByRole('button', { name: /Hide/ }))],
  ['Escape', () => fireEvent.keyDown(document, { key: 'Escape' })],
  ['pagehide', () => fireEvent(window, new Event('pagehide'))],
  ['a hidden tab', () => {
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    fireEvent(document, new Event('visibilitychange'))
  }],
])('%s clears it', async (_, leave) => {
  drawValue()
  await click(/Reveal/)
  expect(shown()).toBe(true)
  act(() => void leave())
  expect(shown()).toBe(false)
})

test('another name, and presenting, clear it', async () => {
  const { rerender } = drawValue()
  await click(/Reveal/)
  rerender(<Value name="app_rw v13" reveal={async () => canary} />)
  expect(shown()).toBe(false)
  await click(/Reveal/)
  rerender(<Value name="app_rw v13" reveal={async () => canary} presenting />)
  expect(shown()).toBe(false)
  expect(screen.queryByRole('button', { name: /Reveal/ })).toBeNull()
})

test('an answer that comes after the page was hidden is not shown', async () => {
  let answer = (_: string) => {}
  draw(<Value name="a" reveal={() => new Promise((done) => (answer = done))} />)
  await click(/Reveal/)
  act(() => void fireEvent(window, new Event('pagehide')))
  await act(async () => answer(canary))
  expect(shown()).toBe(false)
})

test('copying shows nothing, and the clipboard is cleared', async () => {
  vi.useFakeTimers()
  vi.spyOn(document, 'hasFocus').mockReturnValue(true)
  drawValue()
  await click(/Copy/)
  expect(written).toEqual([canary])
  expect(shown()).toBe(false)
  await act(async () => void vi.advanceTimersByTime(30_000))
  expect(written).toEqual([canary, ''])
})

test('leaving the page of the value does not keep it on the clipboard', async () => {
  vi.useFakeTimers()
  vi.spyOn(document, 'hasFocus').mockReturnValue(true)
  const { rerender } = drawValue()
  await click(/Copy/)
  rerender(<p>Another page</p>)
  await act(async () => void vi.advanceTimersByTime(30_000))
  expect(written).toEqual([canary, ''])
})

test('the end of the session clears it', async () => {
  const page = (over: boolean) => <Covered value={over}><Value name="a" reveal={async () => canary} /></Covered>
  const { rerender } = draw(page(false))
  await click(/Reveal/)
  rerender(page(true))
  expect(shown()).toBe(false)
})

test('without focus a bar stays until the clipboard is cleared', async () => {
  vi.useFakeTimers()
  vi.spyOn(document, 'hasFocus').mockReturnValue(false)
  drawValue()
  await click(/Copy/)
  await act(async () => void vi.advanceTimersByTime(30_000))
  refuse = true
  await click(/Clear/)
  expect(screen.getByText(/may still be on your clipboard/)).toBeTruthy()
  refuse = false
  await click(/Clear/)
  expect(screen.queryByText(/may still be on your clipboard/)).toBeNull()
})

test('a refusal is shown with its parts, and holds no value', async () => {
  draw(<Value name="a" reveal={async () => { throw new Error(canary) }} />)
  await click(/Reveal/)
  expect(screen.getByRole('alert').textContent).toContain('This page failed')
  expect(shown()).toBe(false)
})
