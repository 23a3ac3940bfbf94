import { Link } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { count } from './format'
import classes from './Tabs.module.css'

export interface Tab {
  /** As in the URL. */
  key: string
  label: string
  count?: number
  /** A page of its own, instead of `?tab=`. */
  to?: string
}

export interface TabsProps {
  /** What the tabs are of: "app_rw". */
  label: string
  tabs: readonly Tab[]
  /** The tab that the URL names; one that is not there is the first. */
  current: string | undefined
}

/** The tab that is shown for what the URL names. */
export function tabOf(tabs: readonly Tab[], current: string | undefined): string {
  return tabs.some(({ key }) => key === current) ? (current ?? '') : (tabs[0]?.key ?? '')
}

/** Views of one object, each with an address of its own: `?tab=`, and none for the first; or the page that a tab names. */
export function Tabs({ label, tabs, current }: TabsProps) {
  const shown = tabOf(tabs, current)
  const bar = useRef<HTMLElement>(null)
  useEffect(() => {
    // On a narrow screen the row scrolls: where one is has to be seen.
    const at = bar.current?.querySelector<HTMLElement>('[data-shown]')
    if (bar.current && at) bar.current.scrollLeft = at.offsetLeft - (bar.current.clientWidth - at.offsetWidth) / 2
  }, [shown])
  return (
    <nav ref={bar} aria-label={label} className={classes.tabs}>
      <ul>
        {tabs.map((tab, i) => (
          <li key={tab.key}>
            <Link
              to={tab.to ?? '.'}
              search={(tab.to === undefined ? (before: object) => ({ ...before, tab: i === 0 ? undefined : tab.key }) : {}) as never}
              resetScroll={false}
              activeOptions={{ exact: true, includeSearch: true }}
              activeProps={{ 'aria-current': undefined }}
              aria-current={tab.key === shown ? 'page' : undefined}
              data-shown={tab.key === shown || undefined}
              className={classes.tab}
            >
              {tab.label}
              {tab.count !== undefined && <span className={classes.count}>{count(tab.count)}</span>}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}
