import { Grid, type GridProps } from '../ui/Grid'
import { type List, useRows } from './list'

type OfList = 'total' | 'rowAt' | 'onRange' | 'resetKey' | 'loading' | 'problem' | 'onRetry'

/** The grid of a list. Pages that come while it is scrolled draw the grid again, and not the page around it. */
export function ListGrid<Row>({ list, ...grid }: { list: List<Row> } & Omit<GridProps<Row>, OfList>) {
  const { total, resetKey, loading, onRetry } = list
  return <Grid {...grid} {...useRows(list)} total={total} resetKey={resetKey} loading={loading} onRetry={onRetry} />
}
