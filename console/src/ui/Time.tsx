import { Tooltip } from '@mantine/core'
import { useContext, useEffect, useState } from 'react'
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

/** Draws again when the words of a relative time change. */
function useNow(at: number, active: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!active) return
    const age = Math.abs(now - at)
    const next = age < 60_000 ? 5_000 : age < 3_600_000 ? 30_000 : 600_000
    const timer = setTimeout(() => setNow(Date.now()), next)
    return () => clearTimeout(timer)
  }, [at, now, active])
  return now
}

/** What hover and focus show; drawn, and worked out, only then. */
function BothZones({ at }: { at: number }) {
  return (
    <>
      <div>{absolute(at, 'browser', { seconds: true })} ({Intl.DateTimeFormat().resolvedOptions().timeZone})</div>
      <div>{absolute(at, 'utc', { seconds: true })}</div>
    </>
  )
}

/** The only way a time is shown: relative up to 7 days, then absolute; hover and focus give local, UTC and the zone. */
export function Time({ at, as = 'relative' }: TimeProps) {
  const { preferences } = usePreferences()
  const inGrid = useContext(InGrid)
  const ms = typeof at === 'number' ? at : Date.parse(at)
  const now = useNow(ms, as === 'relative')
  if (Number.isNaN(ms)) return <span>time not known</span>
  const shown =
    (as === 'relative' ? relative(ms, now) : undefined) ?? absolute(ms, preferences.zone, { seconds: as === 'exact' })
  return (
    <Tooltip label={<BothZones at={ms} />} multiline>
      <time dateTime={new Date(ms).toISOString()} tabIndex={inGrid ? -1 : 0} className={classes.time}>
        {shown}
      </time>
    </Tooltip>
  )
}
