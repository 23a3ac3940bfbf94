import { Skeleton } from '@mantine/core'
import { useEffect, useState } from 'react'
import classes from './Run.module.css'

/** Bones of the page, after 200 ms. */
export function Waiting() {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div className={classes.skeleton} aria-busy="true">
      {late && <><Skeleton h={20} w="60%" /><Skeleton h={20} w="40%" /><Skeleton h={240} /></>}
    </div>
  )
}
