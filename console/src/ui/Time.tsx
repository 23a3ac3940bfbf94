import { Tooltip } from '@mantine/core'
import { type PointerEvent, useContext } from 'react'
import { useClock } from './clock'
import { absolute, relative } from './format'
import { InGrid } from './ingrid'
import { usePreferences } from './preferences'
import classes from './Time.module.css'

export interface TimeProps {
  /** An instant: RFC 3339 text or milliseconds of the epoch. */
  at: string | number
  /** "exact" is always absolute, with seconds: for runs and the audit log. */
  as?: 'relative' | 'exact'
}

const here = (at: number) => `${absolute(at, 'browser', { seconds: true })} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`
const inUtc = (at: number) => absolute(at, 'utc', { seconds: true })

/** What hover and focus show; drawn, and worked out, only then. */
function BothZones({ at }: { at: number }) {
  return (
    <>
      <div>{here(at)}</div>
      <div>{inUtc(at)}</div>
    </>
  )
}

/** The only way a time is shown: relative up to 7 days, then absolute; hover and focus give local, UTC and the zone. */
export function Time({ at, as = 'relative' }: TimeProps) {
  const { preferences } = usePreferences()
  const inGrid = useContext(InGrid)
  const ms = typeof at === 'number' ? at : Date.parse(at)
  const ago = useClock((now) => (as === 'relative' ? relative(ms, now) : undefined))
  if (Number.isNaN(ms)) return <span>time not known</span>
  const shown = ago ?? absolute(ms, preferences.zone, { seconds: as === 'exact' })
  const dateTime = new Date(ms).toISOString()
  // In a grid, where nothing takes the focus, the browser's own tooltip does: hundreds of these are drawn while it is scrolled.
  if (inGrid) return <time dateTime={dateTime} className={classes.time} onPointerEnter={(event: PointerEvent<HTMLTimeElement>) => { event.currentTarget.title = `${here(ms)}\n${inUtc(ms)}` }}>{shown}</time>
  return (
    <Tooltip label={<BothZones at={ms} />} multiline>
      <time dateTime={dateTime} tabIndex={0} className={classes.time}>
        {shown}
      </time>
    </Tooltip>
  )
}
