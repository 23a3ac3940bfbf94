import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useRead } from '../resources/named'
import classes from './conflicts.module.css'
import { OneConflict } from './OneConflict'

/** The conflict of a Secret on its own page, where there is one that is not settled. */
export function SecretConflict({ secret, differs }: { secret: string; differs: boolean }) {
  const api = useApi()
  // What was decided here stays until the page is left, so that it is seen what came of it.
  const [seen, setSeen] = useState(differs)
  if (differs && !seen) setSeen(true)
  const one = useRead(keys.one('conflict', secret), async (signal) => bodyOf(await api.GET('/api/v1/conflicts/{secret}', { params: { path: { secret } }, signal })), seen)
  if (one.data === undefined) return null
  return (
    <section className={classes.panel} aria-labelledby="conflict">
      <h2 id="conflict">Changed in the cluster: which side is right?</h2>
      <OneConflict conflict={one.data} />
    </section>
  )
}
