import { Button } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi, useMay, useWho } from '../../app/api'
import type { Column } from '../../ui/columns'
import { type Empty, EmptyState } from '../../ui/EmptyState'
import { type FilterState, filterText, filterToSearch, noFilter } from '../../ui/filter'
import { FilterBar } from '../../ui/FilterBar'
import { count, shortId } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { GridLink } from '../../ui/GridLink'
import { PageHead } from '../../ui/PageHead'
import { Time } from '../../ui/Time'
import { type AuditEvent, type AuditSearch, fieldsOf, isId, lastOfEach, readSearch } from './audit'
import classes from './Audit.module.css'
import { LogState } from './LogState'
import { Outcome } from './Outcome'
import { Range } from './Range'

const pageSize = 100

const columns: Column<AuditEvent>[] = [
  { key: 'at', title: 'Time', width: 196, render: (event) => <Time at={event.at} as="exact" /> },
  { key: 'actor', title: 'Actor', width: 140, grow: 1, render: (event) => <bdi className={classes.cell}>{event.actor || event.actorKind}</bdi> },
  { key: 'action', title: 'Action', width: 172, grow: 1, render: (event) => <GridLink place={{ to: '/audit/$event', params: { event: event.id } }} className={`${classes.link} ${classes.cell}`}>{event.action}</GridLink> },
  {
    key: 'object', title: 'Object', width: 170, grow: 2, priority: 1,
    render: (event) => <span className={classes.cell}><span className={classes.kind}>{event.kind}</span> <bdi>{event.object || shortId(event.objectId ?? '')}</bdi></span>,
  },
  { key: 'outcome', title: 'Outcome', width: 110, grow: 2, render: (event) => <Outcome outcome={event.outcome} reason={event.reason} /> },
  { key: 'address', title: 'Address', width: 120, priority: 2, render: (event) => <span className={`${classes.kind} ${classes.cell}`}>{event.address}</span> },
  { key: 'seq', title: 'Entry', width: 80, align: 'end', priority: 3, render: (event) => <span className={classes.kind}>{event.seq < 0 ? 'soon' : `#${count(event.seq)}`}</span> },
]

/** Who did what, when, and whether the log is intact. Who may not read it is told why. */
export function AuditPage() {
  const may = useMay('audit.list')
  if (may.allowed) return <Log />
  return (
    <>
      <PageHead title="Audit" />
      <EmptyState empty={{ why: 'no-grants', what: 'the audit log', ask: `${may.reason ?? 'Your role does not include it'}: ask an administrator or an auditor.` }} />
    </>
  )
}

/** The actor's id: the address may carry a name, the log is asked by id. Undefined while it is being found. */
function useActor(actor: string | undefined): { id: string | undefined; known: boolean } {
  const api = useApi()
  const byName = actor !== undefined && !isId(actor)
  const user = useQuery({
    queryKey: keys.one('user', actor ?? ''),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/users/{user}', { params: { path: { user: actor ?? '' } }, signal })),
    enabled: byName,
  })
  if (!byName) return { id: actor, known: true }
  // Parts of the server act under their name; and a name that is not known matches nothing.
  return { id: user.data?.id ?? actor, known: !user.isPending }
}

function Log() {
  const api = useApi()
  const who = useWho()
  const navigate = useNavigate()
  const search = readSearch(useSearch({ strict: false }))
  const { filter, from, to, before } = search
  const [note, setNote] = useState(false)
  const of = (wanted: string) => filter.tokens.find(({ key }) => key === wanted)?.value
  const actor = useActor(of('actor'))
  const query = { actor: actor.id, action: of('action'), kind: of('kind'), object: of('object'), outcome: of('outcome') as AuditEvent['outcome'] | undefined, run: of('run'), from, to, cursor: before }
  const page = useQuery({
    queryKey: keys.list('audit', query),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/audit', { params: { query: { ...query, limit: pageSize } }, signal })),
    placeholderData: keepPreviousData,
    // Events of the stream are of objects, not of the log: it is read anew on each visit.
    staleTime: 0,
    enabled: actor.known,
  })
  const items = page.data?.items ?? []
  const go = (next: Partial<AuditSearch>) => {
    const { filter: f, ...rest } = { ...search, before: undefined, ...next }
    void navigate({ to: '.', search: { ...filterToSearch({ text: '', tokens: lastOfEach(f.tokens) }), ...rest } as never })
  }
  const onFilter = (next: FilterState) => {
    // Free text has no column here: it is not sent, and the page says what is.
    setNote(next.text !== '')
    if (filterText({ ...next, text: '' }) !== filterText(filter)) go({ filter: { ...next, text: '' } })
  }
  const actions = useMemo(() => Object.keys(who.can).sort(), [who.can])
  const fields = useMemo(() => fieldsOf(actions), [actions])
  const { data } = page
  return (
    <>
      <LogState can={data?.can} onChecked={() => void page.refetch()} />
      <FilterBar label="Filter events" fields={fields} value={filter} onChange={onFilter} />
      {note && <p className={classes.note} role="status">Events are filtered by key and value, such as actor:anna or action:account.reveal.</p>}
      <Range from={from} to={to} onChange={(f, t) => go({ from: f, to: t })} />
      <Grid
        label="Audit events"
        columns={columns}
        total={data === undefined ? undefined : items.length}
        rowAt={(index) => items[index]}
        idOf={(event) => event.id}
        nameOf={(event) => event.action}
        resetKey={JSON.stringify(query)}
        loading={page.isPlaceholderData}
        onOpen={(event) => void navigate({ to: `/audit/${event.id}` })}
        problem={page.error === null ? undefined : asProblem(page.error)}
        onRetry={() => void page.refetch()}
        empty={emptyOf(search, () => go({ filter: noFilter, from: undefined, to: undefined }))}
      />
      {data !== undefined && (
        <div className={classes.pages}>
          <span>{count(data.total)} {data.total === 1 ? 'event' : 'events'}{before !== undefined && ', older ones shown'}</span>
          {before !== undefined && <Button size="compact-sm" variant="default" onClick={() => go({})}>Newest</Button>}
          {data.next && <Button size="compact-sm" variant="default" onClick={() => go({ before: data.next })}>Older</Button>}
          {before === undefined && <Button size="compact-sm" variant="default" loading={page.isFetching} onClick={() => void page.refetch()}>Look for newer</Button>}
        </div>
      )}
    </>
  )
}

/** The log is never empty for good: signing in is an event. */
function emptyOf({ filter, from, to }: AuditSearch, onClear: () => void): Empty {
  const parts = [filterText(filter), from && `from ${from}`, to && `to ${to}`].filter(Boolean)
  if (parts.length > 0) return { why: 'no-match', filter: parts.join(' '), onClear }
  return { why: 'first', title: 'No event yet', text: 'Each change, reveal and refusal becomes an entry of a signed log.' }
}
