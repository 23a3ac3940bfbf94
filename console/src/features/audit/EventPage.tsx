import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { keys } from '../../api/keys'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import { CopyText } from '../../ui/CopyText'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { Time } from '../../ui/Time'
import { Waiting } from '../runs/Waiting'
import { type AuditEvent, objectOf, pageOfObject } from './audit'
import classes from './Audit.module.css'
import { Outcome } from './Outcome'

const above = [{ label: 'Audit', to: '/audit' }]

/** One event of the log with all that was recorded of it. */
export function EventPage() {
  const { event: id = '' } = useParams({ strict: false })
  const api = useApi()
  const { data, error, refetch } = useQuery({
    queryKey: keys.one('audit', id),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/audit/events/{event}', { params: { path: { event: id } }, signal })),
    // An event never changes but for its place in the log, which it gets within a second.
    staleTime: ({ state }) => ((state.data as AuditEvent | undefined)?.seq === -1 ? 0 : Infinity),
  })
  if (data !== undefined) return <Shown event={data} />
  return (
    <>
      <PageHead title="Event" above={above} />
      {error === null ? <Waiting /> : <ProblemView problem={asProblem(error)} onRetry={() => void refetch()} />}
    </>
  )
}

function Shown({ event }: { event: AuditEvent }) {
  const page = pageOfObject(event)
  const same = (search: object, label: string) => <Link to="/audit" search={search as never} className={classes.link}>{label}</Link>
  const details = Object.entries(event.details ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return (
    <>
      <PageHead title={event.action} above={above} state={<Outcome outcome={event.outcome} />}>
        <p><bdi>{event.actor || event.actorKind}</bdi>: {event.action} of <bdi>{objectOf(event) || 'the server'}</bdi>, <Time at={event.at} as="exact" /></p>
      </PageHead>
      <div className={classes.panel}>
        <Facts>
          {event.reason && <Fact label="Reason">{event.reason}</Fact>}
          <Fact label="Actor"><bdi>{event.actor || event.actorKind}</bdi> ({event.actorKind}) · {same({ actor: event.actorId }, 'all of this actor')}</Fact>
          <Fact label="Object">{event.kind ? <><bdi>{objectOf(event)}</bdi>{event.objectId && <> · {same({ object: event.objectId }, 'all of this object')}</>}</> : 'none'}</Fact>
          {event.run && <Fact label="Run"><Link to={`/runs/${encodeURIComponent(event.run)}`} className={classes.link}>the run</Link> · {same({ run: event.run }, 'all of this run')}</Fact>}
          {page && !event.run && <Fact label="Page"><Link to={page} className={classes.link}>{objectOf(event)}</Link></Fact>}
          <Fact label="Time"><Time at={event.at} as="exact" /></Fact>
          <Fact label="From">{event.address ?? 'inside the server'}</Fact>
          <Fact label="Entry">{event.seq < 0 ? 'not in the signed log yet; within a second' : `#${count(event.seq)}`}</Fact>
          <Fact label="Event"><CopyText text={event.id} label="the event's id" /></Fact>
          {event.objectId && <Fact label="Object's id"><CopyText text={event.objectId} label="the object's id" /></Fact>}
          {event.requestId && <Fact label="Request"><CopyText text={event.requestId} label="the request's id" /></Fact>}
          {event.via && <Fact label="Session or token"><CopyText text={event.via} label="the id of the session or token" /></Fact>}
        </Facts>
        {details.length > 0 && (
          <>
            <h2>Details</h2>
            <Facts>{details.map(([key, value]) => <Fact key={key} label={key}><bdi>{value}</bdi></Fact>)}</Facts>
          </>
        )}
      </div>
    </>
  )
}
