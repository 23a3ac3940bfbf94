import classes from './Loading.module.css'

/** Stands for content that is being read; seen only after 200 ms. */
export function Loading({ label, lines = 6 }: { label: string; lines?: number }) {
  return (
    <div role="status" aria-label={label} className={classes.loading}>
      {Array.from({ length: lines }, (_, i) => <span key={i} className={classes.line} />)}
    </div>
  )
}
