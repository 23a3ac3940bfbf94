import { Button } from '@mantine/core'
import { IconFilterOff, IconLockAccess, IconSparkles } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import classes from './EmptyState.module.css'

/** Why there is nothing to show. The three never share a text. */
export type Empty =
  /** Nothing was ever made here: one line that explains the word, and the next step. */
  | { why: 'first'; title: string; text: string; action?: ReactNode }
  /** The filter matches nothing: it is repeated, and can be cleared. */
  | { why: 'no-match'; filter: string; onClear: () => void }
  /** The user may see none: whom to ask. */
  | { why: 'no-grants'; what: string; ask: string }

const icons = { first: IconSparkles, 'no-match': IconFilterOff, 'no-grants': IconLockAccess }

/** What stands in place of an empty list. */
export function EmptyState({ empty }: { empty: Empty }) {
  const Icon = icons[empty.why]
  return (
    <div className={classes.empty}>
      <Icon size={24} stroke={1.5} aria-hidden className={classes.icon} />
      {empty.why === 'first' && (
        <>
          <p className={classes.title}>{empty.title}</p>
          <p>{empty.text}</p>
          {empty.action}
        </>
      )}
      {empty.why === 'no-match' && (
        <>
          <p className={classes.title}>Nothing matches</p>
          <p>No row matches <q><bdi>{empty.filter}</bdi></q>.</p>
          <Button variant="default" onClick={empty.onClear}>Clear the filter</Button>
        </>
      )}
      {empty.why === 'no-grants' && (
        <>
          <p className={classes.title}>You have no grant for {empty.what}</p>
          <p>{empty.ask}</p>
        </>
      )}
    </div>
  )
}
