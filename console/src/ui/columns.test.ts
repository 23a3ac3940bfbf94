import { expect, test } from 'vitest'
import { fitColumns, gridTemplate, moveTo, nextSort } from './columns'

const columns = [
  { key: 'name', width: 200 },
  { key: 'cluster', width: 100, priority: 1 },
  { key: 'type', width: 100, priority: 3 },
  { key: 'changed', width: 100, priority: 2 },
]
const keysAt = (width: number) => fitColumns(columns, width).map((c) => c.key)

test('columns leave by priority, and what has none stays', () => {
  expect(keysAt(0)).toEqual(['name', 'cluster', 'type', 'changed'])
  expect(keysAt(500)).toEqual(['name', 'cluster', 'type', 'changed'])
  expect(keysAt(499)).toEqual(['name', 'cluster', 'changed'])
  expect(keysAt(399)).toEqual(['name', 'cluster'])
  expect(keysAt(50)).toEqual(['name'])
})

test('the widths fill the row', () => {
  expect(gridTemplate(columns, 40)).toBe('40px 200px 100px 100px minmax(100px, 1fr)')
  expect(gridTemplate([{ width: 200, grow: 2 }, { width: 80 }], 0)).toBe('minmax(200px, 2fr) 80px')
})

test('keys move within the rows', () => {
  expect(moveTo('j', 0, 3, 10)).toBe(1)
  expect(moveTo('ArrowDown', 2, 3, 10)).toBe(2)
  expect(moveTo('k', 0, 3, 10)).toBe(0)
  expect(moveTo('End', 0, 100_000, 10)).toBe(99_999)
  expect(moveTo('Home', 9, 100, 10)).toBe(0)
  expect(moveTo('PageDown', 5, 100, 10)).toBe(15)
  expect(moveTo('q', 5, 100, 10)).toBeUndefined()
})

test('a second click on a title turns the order', () => {
  expect(nextSort(undefined, 'name')).toBe('name')
  expect(nextSort('name', 'name')).toBe('-name')
  expect(nextSort('-name', 'name')).toBe('name')
})
