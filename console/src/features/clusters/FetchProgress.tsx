import { Progress } from '@mantine/core'
import { count } from '../../ui/format'
import { Time } from '../../ui/Time'
import classes from './Cluster.module.css'
import { type Fetch, fetchText, underWay } from './clusters'

/** How many of a fetch's Secrets were looked at. */
export function handled({ added, changed, unchanged, skipped }: Fetch): number {
  return added + changed + unchanged + skipped
}

const verbs = { fetch: ['Imported', 'fetch'], sync: ['Compared', 'sync'] } as const

/** The fetch or sync that goes on, or how the last one ended. */
export function FetchProgress({ fetch }: { fetch: Fetch }) {
  const [verb, noun] = verbs[fetch.kind]
  const problems = fetch.problems ?? []
  const done = handled(fetch)
  const on = underWay(fetch)
  return (
    <section aria-label={`Last ${noun}`} className={classes.fetch} data-failed={fetch.state === 'failed' || undefined}>
      {on && (
        <>
          <p role="status">
            {fetch.state === 'queued' && `The ${noun} is queued: no worker has it yet.`}
            {fetch.state === 'waiting' && `The ${noun} waits${fetch.reason ? `: ${fetch.reason}` : ' for its next try.'}`}
            {fetch.state === 'running' && (fetch.total > 0 ? `${verb} ${count(done)} of ${count(fetch.total)}` : `The ${noun} reads what the cluster has.`)}
            {fetch.skipped > 0 && `, ${count(fetch.skipped)} skipped`}
          </p>
          {fetch.total > 0 && <Progress value={Math.min(100, (100 * done) / fetch.total)} aria-label={`${verb} of ${count(fetch.total)}`} />}
          <p className={classes.quiet}>Started by {fetch.actor} <Time at={fetch.createdAt} />. It goes on when you leave this page.</p>
        </>
      )}
      {fetch.state === 'done' && (
        <p className={classes.quiet}>
          Last {noun} by {fetch.actor}, ended <Time at={fetch.endedAt ?? fetch.createdAt} />: {fetchText(fetch)}.
        </p>
      )}
      {fetch.state === 'failed' && (
        <div role="alert">
          <p><b>The last {noun} failed</b> <Time at={fetch.endedAt ?? fetch.createdAt} />, after: {fetchText(fetch)}.</p>
          {fetch.reason && <p><b>Why:</b> {fetch.reason}</p>}
          {fetch.cure && <p><b>What to do now:</b> {fetch.cure}</p>}
        </div>
      )}
      {problems.length > 0 && (
        <details open={on || fetch.state === 'failed'}>
          <summary>{problems.length === 1 ? '1 problem' : `${count(problems.length)} problems`}</summary>
          <ul>
            {problems.map(({ namespace, name, reason }, i) => (
              <li key={i}>{namespace && <><bdi>{name ? `${namespace}/${name}` : namespace}</bdi>: </>}{reason}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  )
}
