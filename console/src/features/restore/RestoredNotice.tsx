import { Link } from '@tanstack/react-router'
import { useMay } from '../../app/api'
import classes from './restore.module.css'

/** Above every page while the repository is one of an old backup. */
export function RestoredNotice() {
  const may = useMay('restore.get')
  return (
    <aside className={classes.notice} aria-label="Restored from a backup">
      <p>
        <b>This repository was restored from an old backup.</b> Newer values may be in use, so nothing is changed anywhere until every account was checked.{' '}
        {may.allowed ? <Link to="/restore">See what is known</Link> : 'An administrator ends it.'}
      </p>
    </aside>
  )
}
