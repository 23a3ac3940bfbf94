import type { ReactNode } from 'react'

export interface Column<Row> {
  key: string
  title: string
  /** The least width in px; what is left over is shared by the columns that grow. */
  width: number
  /** The share of what is left over. 0, the default, keeps the width. */
  grow?: number
  /** The highest leaves first when the grid is narrow. 0, the default, stays. */
  priority?: number
  /** The server can sort by this column, under its key. */
  sortable?: boolean
  /** "end" for numbers. */
  align?: 'start' | 'end'
  /** Draws a cell. What can take the focus in it should have tabIndex -1: the grid is one stop. */
  render: (row: Row) => ReactNode
}

/** The columns that fit into a width, in their order. A width of 0 is not measured yet: all. */
export function fitColumns<C extends Pick<Column<never>, 'width' | 'priority'>>(columns: readonly C[], width: number): C[] {
  let shown = [...columns]
  if (width <= 0) return shown
  const needed = () => shown.reduce((sum, column) => sum + column.width, 0)
  while (needed() > width) {
    const worst = Math.max(...shown.map((column) => column.priority ?? 0))
    if (worst <= 0) break
    const last = shown.findLastIndex((column) => (column.priority ?? 0) === worst)
    shown = shown.filter((_, i) => i !== last)
  }
  return shown
}

/** The columns as a CSS grid template; `lead` is the width of what stands before them. */
export function gridTemplate(columns: readonly Pick<Column<never>, 'width' | 'grow'>[], lead: number): string {
  const tracks = columns.map(({ width, grow = 0 }) => (grow > 0 ? `minmax(${width}px, ${grow}fr)` : `${width}px`))
  // Without a column that grows the last one takes the rest, so that rows have no bare end.
  if (columns.every(({ grow = 0 }) => grow === 0)) tracks[tracks.length - 1] = `minmax(${columns.at(-1)?.width ?? 0}px, 1fr)`
  return [...(lead > 0 ? [`${lead}px`] : []), ...tracks].join(' ')
}

/** The sort of a list as in the URL: a column's key, with - in front for descending. */
export function nextSort(sort: string | undefined, key: string): string {
  return sort === key ? `-${key}` : key
}

/** What a key does to the row that is active, of `total`; undefined when it does not move. */
export function moveTo(key: string, active: number, total: number, page: number): number | undefined {
  const to = {
    ArrowDown: active + 1,
    j: active + 1,
    ArrowUp: active - 1,
    k: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: total - 1,
  }[key]
  return to === undefined ? undefined : Math.max(0, Math.min(total - 1, to))
}
