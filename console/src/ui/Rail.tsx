import { Tooltip } from '@mantine/core'
import { IconChevronsLeft, IconChevronsRight } from '@tabler/icons-react'
import { Link, useRouterState } from '@tanstack/react-router'
import { count } from './format'
import { iconProps } from './icons'
import { type Entry, type EntryKey, footEntries, isCurrent, railGroups, visibleGroups } from './nav'
import classes from './Shell.module.css'

export interface RailProps {
  /** What the user may open. The rest is not there. */
  visible: readonly EntryKey[]
  /** What waits for this user, by entry; nothing is drawn for 0. */
  waiting?: Partial<Record<EntryKey, number>>
  /** Icons only; the words stay for a screen reader and in a tooltip. */
  narrow?: boolean
  /** Folds or unfolds the rail; without it there is no such button. */
  onCollapse?: () => void
  /** Called when an entry is followed. */
  onFollow?: () => void
}

/** The console's navigation: the same list in the rail and in the sheet. */
export function Rail({ visible, waiting = {}, narrow = false, onCollapse, onFollow }: RailProps) {
  const path = useRouterState({ select: (state) => state.location.pathname })
  const item = (entry: Entry) => {
    const link = (
      <Link to={entry.to} className={classes.entry} aria-current={isCurrent(entry, path) ? 'page' : undefined} onClick={onFollow}>
        <entry.icon {...iconProps} />
        <span className={classes.word}>{entry.label}</span>{' '}
        {(waiting[entry.key] ?? 0) > 0 && (
          <span className={classes.count}>{count(waiting[entry.key] ?? 0)} <span className={classes.spoken}>waiting</span></span>
        )}
      </Link>
    )
    return <li key={entry.key}>{narrow ? <Tooltip label={entry.label} position="right">{link}</Tooltip> : link}</li>
  }
  const foot = footEntries.filter((entry) => visible.includes(entry.key))
  const Fold = narrow ? IconChevronsRight : IconChevronsLeft
  return (
    <nav aria-label="Main" className={classes.nav} data-narrow={narrow || undefined}>
      <div className={classes.groups}>
        {visibleGroups(railGroups, visible).map((group) => (
          <div key={group.label ?? ''}>
            {group.label !== undefined && <p className={classes.group}>{group.label}</p>}
            <ul>{group.entries.map(item)}</ul>
          </div>
        ))}
      </div>
      <ul>
        {foot.map(item)}
        {onCollapse && (
          <li>
            <button type="button" className={classes.entry} onClick={onCollapse} aria-expanded={!narrow}>
              <Fold {...iconProps} />
              <span className={classes.word}>{narrow ? 'Unfold the menu' : 'Fold the menu'}</span>
            </button>
          </li>
        )}
      </ul>
    </nav>
  )
}
