import { type CSSProperties, memo } from 'react'
import type { Column } from './columns'
import classes from './Grid.module.css'

interface GridRowProps {
  id: string
  index: number
  /** Undefined while it is not here yet: a skeleton of the same height. */
  row: unknown
  columns: readonly Column<unknown>[]
  card: boolean
  active: boolean
  open: boolean
  /** Where it stands in a virtual body, in px. */
  start?: number
  height: number
  /** Undefined when rows cannot be chosen. */
  chosen?: boolean
  name: string
}

/**
 * One row, or below 560 px a card of three lines. The grid listens for all of
 * them, so that nothing here changes while it shows the same.
 */
export const GridRow = memo(function GridRow({ id, index, row, columns, card, active, open, start, height, chosen, name }: GridRowProps) {
  const style: CSSProperties = start === undefined ? { height } : { height, position: 'absolute', insetInline: 0, transform: `translateY(${start}px)` }
  const check = chosen !== undefined && (
    <div role="gridcell" className={classes.check}>
      <input type="checkbox" className={classes.box} tabIndex={-1} checked={chosen} readOnly disabled={row === undefined} aria-label={`Choose ${name}`} />
    </div>
  )
  const cell = (column: Column<unknown>) => (
    <div key={column.key} role="gridcell" className={classes.cell} data-align={column.align}>
      {row === undefined ? <span className={classes.skeleton} /> : column.render(row)}
    </div>
  )
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={chosen}
      aria-busy={row === undefined || undefined}
      data-active={active || undefined}
      data-open={open || undefined}
      className={classes.row}
      style={style}
    >
      {card ? (
        <>
          <div role="presentation" className={classes.line}>{check}{columns.slice(0, 1).map(cell)}</div>
          <div role="presentation" className={classes.line}>{columns.slice(1, 3).map(cell)}</div>
          <div role="presentation" className={classes.line}>{columns.slice(3).map(cell)}</div>
        </>
      ) : (
        <>
          {check}
          {columns.map(cell)}
        </>
      )}
    </div>
  )
})
