import { act, fireEvent, screen } from '@testing-library/react'
import { useState } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { Counts } from './Counts'
import { type FilterState, noFilter, valueRefusal } from './filter'
import { FilterBar } from './FilterBar'

const fields = [{ key: 'state', label: 'State', values: [{ value: 'drift', count: 88 }] }, { key: 'ns', label: 'Namespace' }]
const seen: FilterState[] = []
beforeEach(() => void (seen.length = 0))

function Sample({ start = noFilter }: { start?: FilterState }) {
  const [value, setValue] = useState(start)
  const onChange = (next: FilterState) => {
    seen.push(next)
    setValue(next)
  }
  return <FilterBar label="Filter Secrets" fields={fields} value={value} onChange={onChange} />
}

const field = () => screen.getByLabelText<HTMLInputElement>('Filter Secrets')
const type = (text: string) => act(async () => void fireEvent.change(field(), { target: { value: text } }))
const press = (key: string) => act(async () => void fireEvent.keyDown(field(), { key }))

test('free text is sent after 150 ms of rest, and stays in the field', async () => {
  vi.useFakeTimers()
  draw(<Sample />)
  await type('pa')
  await type('pay')
  expect(seen).toEqual([])
  await act(async () => void vi.advanceTimersByTime(150))
  expect(seen).toEqual([{ tokens: [], text: 'pay' }])
  expect(field().value).toBe('pay')
})

test('what looks like a value is never handed on, and the field says where to search for it', async () => {
  vi.useFakeTimers()
  draw(<Sample />)
  await type('hunter2!')
  await act(async () => void vi.advanceTimersByTime(1000))
  await press('Enter')
  expect(seen).toEqual([])
  expect(screen.getByRole('status').textContent).toBe(valueRefusal)
  vi.useRealTimers()
  await expectAccessible()
})

test('Enter makes a token, Backspace opens it again, Delete and the cross remove it', async () => {
  draw(<Sample />)
  await type('ns:pay*')
  await press('Enter')
  expect(seen.at(-1)).toEqual({ tokens: [{ key: 'ns', value: 'pay*' }], text: '' })
  expect(field().value).toBe('')
  await expectAccessible()
  await press('Backspace')
  expect(seen.at(-1)?.tokens).toEqual([])
  expect(field().value).toBe('ns:pay*')
  await press('Enter')
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Remove ns:pay*' })))
  expect(seen.at(-1)).toEqual(noFilter)
})

test('suggestions lead from the key to a value', async () => {
  draw(<Sample />)
  await act(async () => field().focus())
  await act(async () => void fireEvent.click(screen.getByRole('option', { name: /State/ })))
  expect(field().value).toBe('state:')
  await act(async () => void fireEvent.click(screen.getByRole('option', { name: /drift/ })))
  expect(seen.at(-1)?.tokens).toEqual([{ key: 'state', value: 'drift' }])
})

test('clearing gives no filter', async () => {
  draw(<Sample start={{ tokens: [{ key: 'ns', value: 'a' }], text: 'b' }} />)
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Clear' })))
  expect(seen.at(-1)).toEqual(noFilter)
  expect(field().value).toBe('')
})

test('counts are filters of one click; the last click takes them away', async () => {
  const onChoose = vi.fn()
  draw(<Counts label="Secrets by state" object="key" counts={{ in_sync: 99_871, drift: 88, conflict: 0 }} chosen={['drift']} onChoose={onChoose} />)
  expect(screen.getAllByRole('button').map((b) => b.textContent)).toEqual(['All 99,959', 'in sync 99,871', 'drift 88'])
  expect(screen.getByRole('button', { name: 'drift 88' }).getAttribute('aria-pressed')).toBe('true')
  fireEvent.click(screen.getByRole('button', { name: /in sync/ }))
  expect(onChoose).toHaveBeenLastCalledWith(['drift', 'in_sync'])
  fireEvent.click(screen.getByRole('button', { name: /drift/ }))
  expect(onChoose).toHaveBeenLastCalledWith([])
  await expectAccessible()
})
