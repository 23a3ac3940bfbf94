import { act, fireEvent, screen, within } from '@testing-library/react'
import { useState } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'
import { Problem } from '../api/problem'
import { draw, expectAccessible } from '../test/render'
import type { Column } from './columns'
import type { Empty } from './EmptyState'
import { Grid, type GridProps } from './Grid'

interface Row {
  id: string
  name: string
}

const columns: Column<Row>[] = [
  { key: 'name', title: 'Secret', width: 200, grow: 1, sortable: true, render: (row) => row.name },
  { key: 'id', title: 'Id', width: 100, priority: 1, render: (row) => row.id },
]
const empty: Empty = { why: 'no-match', filter: 'state:drift', onClear: () => {} }
const rowAt = (i: number): Row => ({ id: `id-${i}`, name: `shop/secret-${i}` })

// jsdom lays nothing out; the virtual rows need a height to fill.
beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(360)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800)
})

function Sample(props: Partial<GridProps<Row>>) {
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set())
  return (
    <Grid
      label="Secrets"
      columns={columns}
      total={3}
      rowAt={rowAt}
      idOf={(row) => row.id}
      nameOf={(row) => row.name}
      selection={selection}
      onSelection={setSelection}
      empty={empty}
      {...props}
    />
  )
}

const grid = () => screen.getByRole('grid')
const key = (name: string, more: object = {}) => act(async () => void fireEvent.keyDown(grid(), { key: name, ...more }))
const activeText = () => document.getElementById(grid().getAttribute('aria-activedescendant') ?? '')?.textContent
const chosen = () => screen.getAllByRole('row', { selected: true }).map((row) => row.getAttribute('aria-rowindex'))

test('it says how many rows there are and which each is', async () => {
  draw(<Sample />)
  expect(grid().getAttribute('aria-rowcount')).toBe('4')
  expect(screen.getAllByRole('row').map((row) => row.getAttribute('aria-rowindex'))).toEqual(['1', '2', '3', '4'])
  await expectAccessible()
})

test('of 100,000 rows only what is on the screen is drawn, and End reaches the last', async () => {
  const onRange = vi.fn()
  draw(<Sample total={100_000} onRange={onRange} />)
  expect(grid().getAttribute('aria-rowcount')).toBe('100001')
  const drawn = screen.getAllByRole('row').length
  expect(drawn).toBeGreaterThan(10)
  expect(drawn).toBeLessThan(60)
  expect(onRange).toHaveBeenLastCalledWith(0, drawn - 1)
  await key('End')
  expect(grid().getAttribute('aria-activedescendant')).toMatch(/-99999$/)
})

test('rows that leave the screen become those that come', async () => {
  draw(<Sample total={100_000} />)
  await key('PageDown')
  await key('PageDown')
  const before = new Set(screen.getAllByRole('row'))
  const indexes = () => screen.getAllByRole('row').slice(1).map((row) => Number(row.getAttribute('aria-rowindex')))
  for (const press of ['PageDown', 'End']) {
    await key(press)
    const now = screen.getAllByRole('row')
    expect(now.filter((row) => !before.has(row))).toEqual([])
    expect(new Set(indexes()).size).toBe(now.length - 1)
    for (const index of indexes()) expect(document.querySelector(`[aria-rowindex="${index}"]`)?.textContent).toContain(`shop/secret-${index - 2}id-${index - 2}`)
  }
})

test('after a box is clicked the keys are the grid’s again', async () => {
  draw(<Sample total={100_000} />)
  const box = within(screen.getAllByRole('row')[3] as HTMLElement).getByRole('checkbox')
  await act(async () => { box.focus(); box.click() })
  expect(document.activeElement).toBe(grid())
  expect(chosen()).toEqual(['4'])
})

test('keys move, open and choose', async () => {
  const onOpen = vi.fn()
  draw(<Sample onOpen={onOpen} />)
  await key('j')
  await key('ArrowDown')
  expect(activeText()).toContain('secret-2')
  await key('k')
  await key('Enter')
  expect(onOpen).toHaveBeenCalledWith(rowAt(1), 1)
  await key('x')
  expect(chosen()).toEqual(['3'])
  await key('x')
  await key('Home')
  await key('ArrowDown', { shiftKey: true })
  expect(chosen()).toEqual(['2', '3'])
})

test('a choice belongs to ids: it stays when the rows change', async () => {
  const { rerender } = draw(<Sample />)
  fireEvent.click(screen.getByLabelText('Choose shop/secret-1'))
  rerender(<Sample rowAt={(i) => rowAt(2 - i + 1)} resetKey="-name" />)
  expect(chosen()).toEqual(['4'])
  expect(screen.getAllByRole('row', { selected: true })[0]?.textContent).toContain('secret-1')
})

test('a click on a checkbox does not open the row; a click on the row does', async () => {
  const onOpen = vi.fn()
  draw(<Sample onOpen={onOpen} />)
  fireEvent.click(screen.getByLabelText('Choose shop/secret-0'))
  expect(onOpen).not.toHaveBeenCalled()
  fireEvent.click(screen.getByText('shop/secret-0'))
  expect(onOpen).toHaveBeenCalledOnce()
})

test('sorting is asked of the caller', () => {
  const onSort = vi.fn()
  draw(<Sample sort="name" onSort={onSort} />)
  const title = screen.getByRole('columnheader', { name: 'Secret' })
  expect(title.getAttribute('aria-sort')).toBe('ascending')
  fireEvent.click(within(title).getByRole('button'))
  expect(onSort).toHaveBeenCalledWith('-name')
})

test('rows not here yet are skeletons, and nothing is said to be empty', async () => {
  draw(<Sample total={undefined} rowAt={() => undefined} />)
  expect(grid().getAttribute('aria-busy')).toBe('true')
  expect(screen.queryByText('Nothing matches')).toBeNull()
  await expectAccessible()
})

test('a problem stands in place, keeps the rows and can be tried again', async () => {
  const onRetry = vi.fn()
  const problem = new Problem({ type: 'x', title: 'The list failed', status: 500 })
  const { rerender } = draw(<Sample problem={problem} onRetry={onRetry} />)
  expect(screen.getByRole('alert').textContent).toContain('The list failed')
  expect(grid()).toBeTruthy()
  fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
  expect(onRetry).toHaveBeenCalledOnce()
  await expectAccessible()
  rerender(<Sample problem={problem} total={undefined} />)
  expect(screen.queryByRole('grid')).toBeNull()
})

test.each<[string, Empty, string]>([
  ['first', { why: 'first', title: 'No Secrets yet', text: 'A Secret comes from a cluster.' }, 'No Secrets yet'],
  ['no match', empty, 'Clear the filter'],
  ['no grants', { why: 'no-grants', what: 'Secrets', ask: 'Ask an administrator.' }, 'You have no grant for Secrets'],
])('the empty list says why: %s', async (_, why, words) => {
  draw(<Sample total={0} empty={why} />)
  expect(screen.getByText(words)).toBeTruthy()
  expect(screen.queryByRole('grid')).toBeNull()
  await expectAccessible()
})
