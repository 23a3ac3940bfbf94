import { act, fireEvent, screen } from '@testing-library/react'
import { useRef, useState } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'
import { draw } from '../test/render'
import { useRowWindow } from './rowWindow'

const height = 20
const head = 30

// jsdom lays nothing out: what scrolls is 10 rows high.
let resized: () => void = () => {}
beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(10 * height)
  vi.stubGlobal('ResizeObserver', class {
    constructor(call: () => void) { resized = call }
    observe() {}
    disconnect() {}
  })
})

function Sample() {
  const scroller = useRef<HTMLDivElement>(null)
  const [count, setCount] = useState(1000)
  const rows = useRowWindow(scroller, { count, height, head })
  return (
    <div ref={scroller} data-testid="scroller" onScroll={rows.onScroll}>
      <output>{rows.first} {rows.end}</output>
      <button onClick={() => rows.show(500)}>down</button>
      <button onClick={() => rows.show(499)}>one up</button>
      <button onClick={() => rows.show(10)}>up</button>
      <button onClick={rows.reset}>reset</button>
      <button onClick={() => setCount(3)}>three</button>
    </div>
  )
}

const shown = () => screen.getByRole('status').textContent
const press = (name: string) => fireEvent.click(screen.getByText(name))

test('only the rows on the screen are drawn, with some to spare', () => {
  draw(<Sample />)
  act(() => resized())
  expect(shown()).toBe('0 16')
  const scroller = screen.getByTestId('scroller')
  scroller.scrollTop = 100 * height + 7
  fireEvent.scroll(scroller)
  expect(shown()).toBe('95 116')
})

test('a row is shown whole with as little scrolling as does it', () => {
  draw(<Sample />)
  act(() => resized())
  const scroller = screen.getByTestId('scroller')
  press('down')
  expect(scroller.scrollTop).toBe(501 * height + head - 10 * height)
  press('one up')
  expect(scroller.scrollTop).toBe(501 * height + head - 10 * height)
  press('up')
  expect(scroller.scrollTop).toBe(10 * height)
  expect(shown()).toBe('5 26')
})

test('a shorter list is drawn from where it ends, and a new one from its start', () => {
  draw(<Sample />)
  act(() => resized())
  press('down')
  press('three')
  expect(shown()).toBe('0 3')
  press('reset')
  expect(shown()).toBe('0 3')
})
