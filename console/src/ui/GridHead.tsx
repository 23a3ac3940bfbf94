import { IconChevronDown, IconChevronUp } from '@tabler/icons-react'
import { type Column, nextSort } from './columns'
import classes from './Grid.module.css'
import { iconProps } from './icons'

interface GridHeadProps<Row> {
  columns: readonly Column<Row>[]
  choosing: boolean
  sort?: string
  onSort?: (sort: string) => void
}

/** The grid's first row. A sortable title is a button; the server sorts. */
export function GridHead<Row>({ columns, choosing, sort, onSort }: GridHeadProps<Row>) {
  const direction = (key: string) => (sort === key ? 'ascending' : sort === `-${key}` ? 'descending' : undefined)
  return (
    <div role="rowgroup" className={classes.head}>
      <div role="row" aria-rowindex={1} className={classes.row}>
        {choosing && <div role="columnheader" className={classes.cell}><span className={classes.spoken}>Chosen</span></div>}
        {columns.map(({ key, title, sortable, align }) => {
          const sorted = direction(key)
          const Mark = sorted === 'descending' ? IconChevronDown : IconChevronUp
          return (
            <div key={key} role="columnheader" className={classes.cell} data-align={align} aria-sort={sorted ?? (sortable && onSort ? 'none' : undefined)}>
              {sortable && onSort ? (
                <button type="button" className={classes.sort} onClick={() => onSort(nextSort(sort, key))}>
                  {title}
                  {sorted && <Mark {...iconProps} size={14} />}
                </button>
              ) : (
                title
              )}
            </div>
          )
        })}
      </div>
    </div>
  )
}
