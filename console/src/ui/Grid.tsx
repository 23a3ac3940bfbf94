import { useElementSize } from '@mantine/hooks'
import { type ChangeEvent, type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Problem } from '../api/problem'
import { type Column, fitColumns, gridTemplate, moveTo } from './columns'
import { type Empty, EmptyState } from './EmptyState'
import classes from './Grid.module.css'
import { GridHead } from './GridHead'
import { GridRow } from './GridRow'
import { InGrid } from './ingrid'
import { usePreferences } from './preferences'
import { ProblemView } from './ProblemView'
import { useRowWindow } from './rowWindow'

export interface GridProps<Row> {
  /** The grid's name for a screen reader: "Secrets". */
  label: string
  columns: readonly Column<Row>[]
  /** How many rows match on the server; undefined until it is known. */
  total: number | undefined
  /** The row at an absolute index, or undefined while it is not here yet. */
  rowAt: (index: number) => Row | undefined
  idOf: (row: Row) => string
  /** The row's name, for its checkbox. */
  nameOf: (row: Row) => string
  /** Told which rows are on the screen, so that the caller loads them. */
  onRange?: (offset: number, limit: number) => void
  /** Changes with filter and sort: the grid then goes back to its first row. */
  resetKey?: string
  /** A new filter is loading: what stands is dimmed. */
  loading?: boolean
  sort?: string
  onSort?: (sort: string) => void
  /** The chosen ids. Without both there is no choosing. */
  selection?: ReadonlySet<string>
  onSelection?: (ids: ReadonlySet<string>) => void
  /** Enter, or a click on the row. */
  onOpen?: (row: Row, index: number) => void
  /** The id of the row that is open beside the grid. */
  open?: string
  problem?: Problem
  onRetry?: () => void
  empty: Empty
}

/** Up to this many rows all are drawn and the page scrolls; above it the grid scrolls itself. */
const smallGrid = 100
const headHeight = 32
const cardBelow = 560
/** Skeletons, while it is not known how many rows there are. */
const waitingRows = 8
const heights = { normal: 36, compact: 28, card: 84 }

/** The index of the row that an event happened in. */
function rowOf(target: EventTarget): number | undefined {
  const row = (target as Element).closest('[aria-rowindex]')
  return row ? Number(row.getAttribute('aria-rowindex')) - 2 : undefined
}

/** The columns in their order, but those that the width has no room for. */
function useColumns<Row>(columns: readonly Column<Row>[], width: number, lead: number): Column<Row>[] {
  const fits = fitColumns(columns, width === 0 || width < cardBelow ? 0 : width - lead).map(({ key }) => key).join(' ')
  // The same while the same fit: rows are not drawn again for each pixel.
  return useMemo(() => columns.filter(({ key }) => fits.split(' ').includes(key)), [columns, fits])
}

/**
 * A list that the server filters, sorts and counts. Of any number of rows only
 * those on the screen are drawn. One tab stop: arrows or j k move, Home and End
 * jump, Enter opens, x or Space chooses, Shift with the arrows chooses on the way.
 */
export function Grid<Row>(props: GridProps<Row>) {
  const { label, columns, total, rowAt, idOf, nameOf, onRange, resetKey, loading, sort, onSort, selection, onSelection, onOpen, open, problem, onRetry, empty } = props
  const { preferences } = usePreferences()
  const { ref: frame, width } = useElementSize()
  const scroller = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const gridId = useId()
  const choosing = selection !== undefined && onSelection !== undefined
  const lead = choosing ? 40 : 0
  const shown = useColumns(columns, width, lead)
  const card = width > 0 && width < cardBelow
  const height = card ? heights.card : preferences.compact ? heights.compact : heights.normal
  const virtual = total !== undefined && total > smallGrid
  const rows = useRowWindow(scroller, { count: virtual ? total : 0, height, head: card ? 0 : headHeight })

  useLayoutEffect(() => {
    // The grid ends where the window does, whatever stands above it.
    const at = scroller.current
    if (virtual && at) at.style.setProperty('--kt-grid-top', `${Math.round(at.getBoundingClientRect().top + window.scrollY) + 16}px`)
  }, [virtual, width])

  const first = virtual ? rows.first : 0
  const drawn = virtual ? rows.end - rows.first : (total ?? 0)
  useEffect(() => {
    if (drawn > 0) onRange?.(first, drawn)
  }, [first, drawn, onRange])

  const [seenKey, setSeenKey] = useState(resetKey)
  if (resetKey !== seenKey) {
    setSeenKey(resetKey)
    setActive(0)
    rows.reset()
  }
  const scrolledFor = useRef(resetKey)
  useLayoutEffect(() => {
    if (scrolledFor.current === resetKey) return
    scrolledFor.current = resetKey
    if (scroller.current) scroller.current.scrollTop = 0
  }, [resetKey])

  const at = Math.min(active, Math.max(0, (total ?? 0) - 1))
  const rowId = (index: number) => `${gridId}-${index}`
  /** Turns the choice of one row, or chooses all of several. */
  const choose = (...indexes: number[]) => {
    if (!choosing) return
    const next = new Set(selection)
    for (const index of indexes) {
      const row = rowAt(index)
      if (row === undefined) continue
      const id = idOf(row)
      if (indexes.length === 1 && next.has(id)) next.delete(id)
      else next.add(id)
    }
    onSelection(next)
  }
  const go = (index: number) => {
    setActive(index)
    if (virtual) rows.show(index)
    else document.getElementById(rowId(index))?.scrollIntoView({ block: 'nearest' })
  }
  const openRow = (index: number) => {
    const row = rowAt(index)
    if (row !== undefined) onOpen?.(row, index)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey || !total) return
    const { key } = event
    if (/^[a-z]$/i.test(key) && !preferences.characterKeys) return
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? height * 10) / height) - 2)
    const to = moveTo(key, at, total, page)
    if (to !== undefined) {
      if (event.shiftKey && key.startsWith('Arrow') && to !== at) choose(at, to)
      go(to)
    } else if (key === 'Enter') openRow(at)
    else if (key === 'x' || key === ' ') choose(at)
    else return
    event.preventDefault()
  }
  // One listener for all rows: a row is drawn again only when what it shows has changed.
  const onRowClick = (event: MouseEvent) => {
    const index = rowOf(event.target)
    if (index === undefined) return
    setActive(index)
    if ((event.target as Element).closest('a, button, input, label')) return
    if (window.getSelection()?.toString()) return // text was marked, not a row clicked
    openRow(index)
  }
  const onCheck = (event: ChangeEvent) => {
    const index = rowOf(event.target)
    if (index !== undefined) choose(index)
    scroller.current?.focus({ preventScroll: true }) // the box may stand for another row soon
  }

  const draw = (index: number): ReactNode => {
    const row = rowAt(index)
    const id = row === undefined ? undefined : idOf(row)
    return (
      <GridRow
        // A row that leaves the screen becomes the one that comes: changing what it says costs less than making it anew.
        key={virtual ? index % rows.slots : index}
        id={rowId(index)}
        index={index}
        row={row}
        columns={shown as readonly Column<unknown>[]}
        card={card}
        active={index === at}
        open={id !== undefined && id === open}
        start={virtual ? index * height : undefined}
        height={height}
        chosen={choosing ? id !== undefined && selection.has(id) : undefined}
        name={row === undefined ? '' : nameOf(row)}
      />
    )
  }

  const style = { '--kt-columns': gridTemplate(shown, lead), '--kt-row-height': `${height}px` } as React.CSSProperties
  const count = total === undefined ? waitingRows : drawn
  const nothing = total === 0 && !loading
  return (
    <div ref={frame} className={classes.frame} style={style} data-card={card || undefined}>
      {problem && (
        <div className={classes.problem}>
          <ProblemView problem={problem} onRetry={onRetry} />
        </div>
      )}
      {nothing && !problem && <EmptyState empty={empty} />}
      {!nothing && !(problem && total === undefined) && (
        <div
          ref={scroller}
          role="grid"
          aria-label={label}
          aria-rowcount={total === undefined ? -1 : total + 1}
          aria-colcount={shown.length + (choosing ? 1 : 0)}
          aria-multiselectable={choosing || undefined}
          aria-busy={loading || total === undefined}
          aria-activedescendant={total ? rowId(at) : undefined}
          tabIndex={0}
          className={classes.grid}
          data-virtual={virtual || undefined}
          data-loading={loading || undefined}
          onKeyDown={onKeyDown}
          onScroll={virtual ? rows.onScroll : undefined}
        >
          <GridHead columns={shown} choosing={choosing} sort={sort} onSort={onSort} />
          <div role="rowgroup" className={classes.body} style={virtual ? { height: total * height } : undefined} onClick={onRowClick} onChange={onCheck}>
            <InGrid value>{Array.from({ length: count }, (_, i) => draw(first + i))}</InGrid>
          </div>
        </div>
      )}
    </div>
  )
}
