import { ActionIcon, Drawer } from '@mantine/core'
import { useHotkeys, useMediaQuery } from '@mantine/hooks'
import { IconMenu2, IconSearch } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Liveness } from '../api/events'
import { type Crumb, CrumbsContext } from './crumbs'
import { count } from './format'
import { iconProps } from './icons'
import { LiveBadge } from './LiveBadge'
import type { EntryKey } from './nav'
import { usePreferences } from './preferences'
import { Rail } from './Rail'
import classes from './Shell.module.css'
import { UserMenu } from './UserMenu'

export interface ShellProps {
  user: { name: string }
  /** What the user may open. */
  visible: readonly EntryKey[]
  /** What waits for this user, by entry. */
  waiting?: Partial<Record<EntryKey, number>>
  liveness: Liveness
  /** Runs under way; undefined while not known. */
  running?: number
  /** Opens the palette (the field, and Ctrl or ⌘ K). Without it there is no such field. */
  onJump?: () => void
  /** Opens the list of keys (the button, and `?`). Without it there is no such button. */
  onHelp?: () => void
  onSignOut: () => void
  children: ReactNode
}

/**
 * The frame of every page behind a session: rail, top bar, one main part. It
 * fetches nothing. Pages name themselves with `PageHead`, which also fills the
 * breadcrumb and takes the focus after a navigation.
 */
export function Shell({ user, visible, waiting, liveness, running, onJump, onHelp, onSignOut, children }: ShellProps) {
  const { preferences, change } = usePreferences()
  const [crumbs, setCrumbs] = useState<readonly Crumb[]>([])
  const [sheet, setSheet] = useState(false)
  const small = useMediaQuery('(max-width: 1099px)') ?? false
  const wideEnough = useMediaQuery('(min-width: 768px)') ?? true
  const main = useRef<HTMLElement>(null)
  useHotkeys(onJump ? [['mod+K', onJump]] : [], [])
  useHotkeys(onHelp && preferences.characterKeys ? [['shift+?', onHelp]] : [])
  useEffect(() => {
    if (wideEnough) setSheet(false)
  }, [wideEnough])
  const narrow = small || preferences.railCollapsed
  const skip = () => main.current?.focus()
  return (
    <div className={classes.shell} data-narrow={narrow || undefined}>
      <a href="#main" className={classes.skip} onClick={(event) => { event.preventDefault(); skip() }}>Skip to the content</a>
      <div className={classes.rail}>
        <Link to="/" className={classes.brand} aria-label="Keyturn, overview"><Mark /><span className={classes.word}>Keyturn</span></Link>
        <Rail
          visible={visible}
          waiting={waiting}
          narrow={narrow}
          onCollapse={small ? undefined : () => change({ railCollapsed: !preferences.railCollapsed })}
        />
      </div>
      <Drawer opened={sheet} onClose={() => setSheet(false)} position="left" size={264} title="Keyturn" closeButtonProps={{ 'aria-label': 'Close the menu' }}>
        <Rail visible={visible} waiting={waiting} onFollow={() => setSheet(false)} />
      </Drawer>
      <header className={classes.bar}>
        <ActionIcon className={classes.burger} variant="subtle" color="gray" size={36} aria-label="Open the menu" aria-haspopup="dialog" onClick={() => setSheet(true)}>
          <IconMenu2 {...iconProps} size={20} />
        </ActionIcon>
        <Crumbs crumbs={crumbs} />
        {onJump && (
          <button type="button" className={classes.jump} onClick={onJump} aria-keyshortcuts="Control+K Meta+K">
            <IconSearch {...iconProps} />
            <span className={classes.jumpWord}>Search or jump to…</span>
            <kbd className={classes.key} aria-hidden="true">Ctrl K</kbd>
          </button>
        )}
        <LiveBadge liveness={liveness} />
        {running !== undefined && running > 0 && (
          <Link to="/runs" search={{ state: 'running' } as never} className={classes.running}>{count(running)} {running === 1 ? 'run' : 'runs'}</Link>
        )}
        {onHelp && <ActionIcon className={classes.help} variant="subtle" color="gray" size={32} aria-label="Keys and help" onClick={onHelp}>?</ActionIcon>}
        <UserMenu name={user.name} onSignOut={onSignOut} />
      </header>
      <main id="main" ref={main} tabIndex={-1} className={classes.main}>
        <CrumbsContext value={setCrumbs}>{children}</CrumbsContext>
      </main>
    </div>
  )
}

function Crumbs({ crumbs }: { crumbs: readonly Crumb[] }) {
  return (
    <nav aria-label="Where you are" className={classes.crumbs}>
      <ol>
        {crumbs.map((crumb, i) => {
          const last = i === crumbs.length - 1
          return (
            <li key={`${i} ${crumb.label}`} aria-current={last ? 'page' : undefined}>
              {crumb.to === undefined || last ? <bdi>{crumb.label}</bdi> : <Link to={crumb.to}><bdi>{crumb.label}</bdi></Link>}
            </li>
          )
        })}
      </ol>
    </nav>
  )
}

function Mark() {
  return (
    <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round">
      <circle cx="5" cy="8" r="3.25" />
      <path d="M8.25 8H14.5M12 8v3" />
    </svg>
  )
}
