import { Button, Group, Stack } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { type StateOf, states } from '../../api/states'
import { bodyOf, type Schemas, useApi, useMay } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { EmptyState } from '../../ui/EmptyState'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { ProblemView } from '../../ui/ProblemView'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { PlaceLink, resourcePlace } from '../resources/PlaceLink'
import { DriftPolicy } from '../conflicts/DriftPolicy'
import type { Report } from './check'
import classes from './Cluster.module.css'
import { Followed } from './ClusterState'
import { type Cluster, may, pathOf, scopeText } from './clusters'
import connect from './Connect.module.css'
import { Loading } from './Loading'
import { Offer } from '../../ui/Offer'
import { ReportView } from './ReportView'

type Resource = Schemas['Resource']
type KeyState = StateOf<'key'>

/** The states of a namespace's Secrets, worst first as the list of states has them last; those in order only when nothing else is. */
export function worth(counts: Readonly<Record<string, number>>): { state: KeyState; n: number }[] {
  const all = (Object.keys(states.key) as KeyState[]).filter((state) => (counts[state] ?? 0) > 0).map((state) => ({ state, n: counts[state] ?? 0 }))
  const other = all.filter(({ state }) => state !== 'in_sync')
  return other.length > 0 ? other : all
}

const columns: readonly Column<Resource>[] = [
  { key: 'name', title: 'Namespace', width: 200, grow: 2, render: (r) => <PlaceLink place={resourcePlace(r.name)} inGrid><bdi>{r.namespace ?? r.name}</bdi></PlaceLink> },
  {
    key: 'states',
    title: 'State',
    width: 200,
    grow: 2,
    render: (r) => <Group gap={8} wrap="nowrap">{worth(r.states ?? {}).map(({ state, n }) => <State key={state} object="key" state={state}>{state === 'in_sync' ? undefined : count(n)}</State>)}</Group>,
  },
  { key: 'accounts', title: 'Secrets', width: 96, align: 'end', render: (r) => <>{count(r.accounts)}<span className={classes.unit}>{r.accounts === 1 ? ' Secret' : ' Secrets'}</span></> },
  { key: 'created', title: 'First fetched', width: 140, priority: 1, render: (r) => <Time at={r.createdAt} /> },
]

/** What came from the cluster: a resource for each of its namespaces. */
export function NamespacesTab({ cluster }: { cluster: Cluster }) {
  const api = useApi()
  const navigate = useNavigate()
  const filter = useMemo(() => ({ cluster: cluster.id, type: 'kubernetes' }), [cluster.id])
  const load = useCallback(
    async (offset: number, limit: number, signal: AbortSignal) => {
      const page = bodyOf(await api.GET('/api/v1/resources', { params: { query: { cluster: filter.cluster, type: [filter.type], sort: 'name', offset, limit } }, signal }))
      return { items: page.items ?? [], total: page.total }
    },
    [api, filter],
  )
  const list = useList<Resource>({ kind: 'resource', filter, load })
  const fetchable = may(cluster, 'fetch').allowed
  return (
    <ListGrid
      list={list}
      label={`Namespaces of ${cluster.name}`}
      columns={columns}
      idOf={(r) => r.id}
      nameOf={(r) => r.namespace ?? r.name}
      onOpen={(r) => void navigate({ to: `/resources/${encodeURIComponent(r.name)}` })}
      empty={{
        why: 'first',
        title: 'Nothing was fetched yet',
        text: 'Choose which Secrets Keyturn imports. Each namespace then becomes a resource.',
        action: fetchable ? <Button component={Link} to={pathOf(cluster.name, 'fetch')}>Choose Secrets</Button> : undefined,
      }}
    />
  )
}

/** Where the cluster is and what was proved of it. */
export function ConnectionTab({ cluster }: { cluster: Cluster }) {
  const api = useApi()
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [report, setReport] = useState<Report>()
  const [problem, setProblem] = useState<Problem>()
  const test = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      setReport(bodyOf(await api.POST('/api/v1/clusters/{cluster}/test', { params: { path: { cluster: cluster.id } }, body: {} })))
      // What the test found is stored; the state above is to say the same.
      await client.invalidateQueries({ queryKey: keys.one('cluster', cluster.id) })
    } catch (error) {
      setReport(undefined)
      setProblem(asProblem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className={connect.sides}>
      <Stack gap={16}>
        <Facts>
          <Fact label="API server"><bdi>{cluster.server}</bdi></Fact>
          <Fact label="Certificate authority">{cluster.ca ? `its own, ${count((cluster.ca.match(/BEGIN CERTIFICATE/g) ?? []).length)} in PEM` : 'the system’s roots'}</Fact>
          <Fact label="Rights">{scopeText(cluster.scope)}</Fact>
          <Fact label="Kubernetes">{cluster.version}</Fact>
          <Fact label="Identity">{cluster.uid && <code className={classes.id}>{cluster.uid}</code>}</Fact>
          <Fact label="Token">stored sealed, and never shown; Edit replaces it</Fact>
          <Fact label="Checked">{cluster.checkedAt && <Time at={cluster.checkedAt} />}</Fact>
          <Fact label="In this state since">{cluster.since && <Time at={cluster.since} />}</Fact>
          <Fact label="Changes"><Followed cluster={cluster} /></Fact>
          {cluster.watch?.reason && <Fact label="Not followed because">{cluster.watch.reason} {cluster.watch.cure}</Fact>}
          {cluster.watch?.comparedAt && <Fact label="Compared in full"><Time at={cluster.watch.comparedAt} /></Fact>}
          <Fact label="Last sync">{cluster.syncedAt ? <Time at={cluster.syncedAt} /> : 'never'}</Fact>
          <Fact label="Connected"><Time at={cluster.createdAt} /></Fact>
        </Facts>
        <div><Offer variant="default" may={may(cluster, 'update')} loading={busy} onClick={() => void test()}>Test now</Offer></div>
        {cluster.state !== 'removed' && <DriftPolicy of="cluster" object={cluster} may={may(cluster, 'update')} />}
      </Stack>
      {(busy || report || problem) && (
        <div>
          {problem ? <ProblemView problem={problem} onRetry={() => void test()} /> : <ReportView busy={busy} report={report} stale={false} />}
        </div>
      )}
    </div>
  )
}

const activityRows = 100

/** Who did what with the cluster, newest first. */
export function ActivityTab({ cluster }: { cluster: Cluster }) {
  const api = useApi()
  const audit = useMay('audit.list')
  const filter = { object: cluster.id, limit: String(activityRows) }
  const events = useQuery({
    queryKey: keys.list('audit', filter),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/audit', { params: { query: { object: cluster.id, limit: activityRows } }, signal })),
    enabled: audit.allowed,
    // The log tells of no changes to itself.
    staleTime: 0,
  })
  if (!audit.allowed) return <EmptyState empty={{ why: 'no-grants', what: 'the audit log', ask: audit.reason ?? 'Ask an administrator or an auditor.' }} />
  if (events.error) return <ProblemView problem={asProblem(events.error)} onRetry={() => void events.refetch()} />
  if (events.data === undefined) return <Loading label="Reading the audit log" />
  const items = events.data.items ?? []
  if (items.length === 0) return <EmptyState empty={{ why: 'first', title: 'Nothing was done yet', text: 'What people and Keyturn do with this cluster is listed here.' }} />
  return (
    <>
      <table className={classes.activity} aria-label={`Activity of ${cluster.name}`}>
        <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Outcome</th></tr></thead>
        <tbody>
          {items.map((event) => (
            <tr key={event.id}>
              <td><Time at={event.at} as="exact" /></td>
              <td><bdi>{event.actor}</bdi></td>
              <td><Link to={`/audit/${encodeURIComponent(event.id)}`}>{event.action}</Link></td>
              <td data-outcome={event.outcome}>{event.outcome}{event.reason && `: ${event.reason}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {items.length === activityRows && <p><Link to="/audit" search={{ object: cluster.id } as never}>All of it in the audit log</Link></p>}
    </>
  )
}
