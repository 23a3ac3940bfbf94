import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { keys } from '../../api/keys'
import { type StateOf, states } from '../../api/states'
import { bodyOf, type Schemas, useApi, useMay } from '../../app/api'
import { useList } from '../../app/list'
import { EmptyState } from '../../ui/EmptyState'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { ClusterTable } from '../clusters/ClusterTable'
import { type Cluster, useLoadClusters } from '../clusters/clusters'
import { Loading } from '../clusters/Loading'
import { Offer } from '../../ui/Offer'
import { useClusterActions } from '../clusters/useClusterActions'
import { type Need, objectOf, placeOf, verbOf } from './needs'
import classes from './Overview.module.css'
import { type Overview, useOverview } from './useOverview'

const shownClusters = 12
const shownRuns = 5
const sumOf = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, n) => sum + n, 0)

/** Whether anything needs the person, and whether what should be proved is proved. */
export function OverviewPage() {
  const { overview, problem, onRetry } = useOverview()
  const create = useMay('cluster.create')
  const first = overview !== undefined && sumOf(overview.clusters) === 0 && sumOf(overview.accounts) === 0
  return (
    <>
      <PageHead title="Overview" />
      {problem && <ProblemView problem={problem} onRetry={onRetry} />}
      {!overview && !problem && <Loading label="Reading the overview" lines={9} />}
      {first && (
        <EmptyState
          empty={create.allowed ? {
            why: 'first',
            title: 'Nothing is here yet',
            text: 'Connect the cluster whose Secrets you want to keep, then say which account each key belongs to. From then on Keyturn changes the password in both places and proves it.',
            action: <Button component={Link} to="/clusters/new">Connect a cluster</Button>,
          } : { why: 'no-grants', what: 'any cluster or account', ask: 'Ask an administrator to share with you what you work with.' }}
        />
      )}
      {overview && !first && (
        <div className={classes.sides}>
          <div className={classes.side}>
            <Needs overview={overview} />
            <Proved overview={overview} />
            <Due overview={overview} />
            <Runs overview={overview} />
          </div>
          <div className={classes.side}><Clusters /></div>
        </div>
      )}
    </>
  )
}

/** The clusters of the mappings that need somebody, in one call: a need names only namespace, Secret and key. */
function useClustersOf(needs: readonly Need[]): ReadonlyMap<string, string> {
  const api = useApi()
  const wanted = [...new Set(needs.filter(({ kind }) => kind === 'mapping').map(({ state }) => state))].sort()
  const mappings = useQuery({
    queryKey: [...keys.list('mapping', { state: wanted }), 'clusters'],
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/mappings', { params: { query: { state: wanted, limit: 500 } }, signal })).items ?? [],
    enabled: wanted.length > 0,
  })
  return useMemo(() => new Map(mappings.data?.map(({ id, clusterName }) => [id, clusterName])), [mappings.data])
}

function Needs({ overview }: { overview: Overview }) {
  const needs = overview.needs ?? []
  const clusters = useClustersOf(needs)
  if (needs.length === 0) {
    return (
      <section aria-labelledby="needs">
        <h2 id="needs">Needs you</h2>
        <p data-answer="" className={classes.well}>Nothing needs you. {overview.lastProof ? <>Last proof <Time at={overview.lastProof} />.</> : 'Nothing was proved yet.'}</p>
      </section>
    )
  }
  return (
    <section aria-labelledby="needs" data-answer="">
      <h2 id="needs">Needs you <span className={classes.count}>{count(overview.needsTotal)}</span></h2>
      <ul className={classes.needs}>
        {needs.map((need) => <NeedLine key={`${need.kind} ${need.id}`} need={need} cluster={clusters.get(need.id)} />)}
      </ul>
      {overview.needsTotal > needs.length && <p className={classes.quiet}>The {count(needs.length)} oldest are listed; {count(overview.needsTotal - needs.length)} more wait.</p>}
    </section>
  )
}

function NeedLine({ need, cluster }: { need: Need; cluster: string | undefined }) {
  const object = objectOf(need)
  const place = placeOf(need, cluster)
  return (
    <li>
      <div className={classes.need}>
        {object ? <State object={object} state={need.state as StateOf<typeof object>} /> : <span>{need.state}</span>}
        <span className={classes.name}><span className={classes.kind}>{need.kind === 'mapping' ? 'key' : need.kind}</span> <bdi>{cluster === undefined ? need.name : `${cluster}/${need.name}`}</bdi></span>
        <Link to={place.to} search={(place.search ?? {}) as never} aria-label={`${verbOf(need)}: ${need.name}`} className={classes.go}>{verbOf(need)} →</Link>
      </div>
      <p className={classes.reason}>
        {need.since && <Time at={need.since} />}{need.since && need.reason && ': '}{need.reason}
      </p>
    </li>
  )
}

type AccountState = StateOf<'account'>

function Proved({ overview }: { overview: Overview }) {
  const words = Object.keys(states.account) as AccountState[]
  const all = sumOf(overview.accounts)
  if (all === 0) return null
  const parts = words.map((state) => ({ state, n: overview.accounts[state] ?? 0 })).filter(({ n }) => n > 0)
  const proved = overview.accounts['verified'] ?? 0
  return (
    <section aria-labelledby="proved">
      <h2 id="proved">Proved</h2>
      <p className={classes.line}>{count(proved)} of {count(all)} accounts log in with the stored value{overview.lastProof && <>; last proof <Time at={overview.lastProof} /></>}.</p>
      <div className={classes.bar} aria-hidden>{parts.map(({ state, n }) => <span key={state} data-tone={states.account[state].tone} style={{ flexGrow: n }} />)}</div>
      <ul className={classes.legend}>
        {parts.map(({ state, n }) => (
          <li key={state}><Link to="/resources" search={{ state } as never}><State object="account" state={state}><b>{count(n)}</b></State></Link></li>
        ))}
      </ul>
    </section>
  )
}

/** What is to be changed when; nothing is drawn while no policy changes anything by itself. */
function Due({ overview: { due } }: { overview: Overview }) {
  if (due.overdue === 0 && due.next === undefined) return null
  return (
    <section aria-labelledby="due">
      <h2 id="due"><Link to="/schedule">Schedule</Link></h2>
      <p className={classes.line}>
        {due.overdue > 0
          ? <Link to="/schedule" search={{ range: 'overdue' } as never}><State object="schedule" state="overdue"><b>{count(due.overdue)}</b></State></Link>
          : 'Nothing is overdue'}
        {' · '}<Link to="/schedule" search={{ range: '24h' } as never}>{count(due.day)} due within 24 hours</Link>
        {due.next && <>{' · '}next: <Link to={placeOf({ kind: 'account', id: due.next.id, name: `${due.next.resourceName}/${due.next.name}`, state: '' }).to}><bdi>{due.next.resourceName}/{due.next.name}</bdi></Link> <Time at={due.next.at} /></>}
      </p>
    </section>
  )
}

function Runs({ overview }: { overview: Overview }) {
  const api = useApi()
  const runs = useQuery({
    queryKey: keys.list('run', { newest: String(shownRuns) }),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/runs', { params: { query: { limit: shownRuns } }, signal })).items ?? [],
  })
  const words = (Object.keys(states.run) as StateOf<'run'>[]).filter((state) => (overview.runs[state] ?? 0) > 0)
  return (
    <section aria-labelledby="runs">
      <h2 id="runs"><Link to="/runs">Runs</Link></h2>
      {words.length === 0 && <p className={classes.well}>No password was reset here yet.</p>}
      {words.length > 0 && <p className={classes.line}>{words.map((state) => `${count(overview.runs[state] ?? 0)} ${states.run[state].word}`).join(' · ')}</p>}
      {runs.data && runs.data.length > 0 && (
        <ul className={classes.needs}>{runs.data.map((run) => <RunLine key={run.id} run={run} />)}</ul>
      )}
    </section>
  )
}

function RunLine({ run }: { run: Schemas['Run'] }) {
  const known = Object.hasOwn(states.run, run.state)
  return (
    <li>
      <div className={classes.need}>
        {known ? <State object="run" state={run.state as StateOf<'run'>} /> : <span>{run.state}</span>}
        <span className={classes.name}><Link to={`/runs/${encodeURIComponent(run.id)}`}><bdi>{run.resourceName}/{run.accountName}</bdi></Link></span>
        <span className={classes.quiet}>{run.keys === 0 ? 'no keys' : `${count(run.keysProved)} of ${count(run.keys)} keys`}</span>
        <span className={classes.quiet}><Time at={run.updatedAt} /></span>
      </div>
    </li>
  )
}

const noFilter = {}

function Clusters() {
  const navigate = useNavigate()
  const create = useMay('cluster.create')
  const actions = useClusterActions()
  const list = useList<Cluster>({ kind: 'cluster', filter: noFilter, load: useLoadClusters(noFilter) })
  const total = list.total ?? 0
  const rows = list.first.slice(0, shownClusters)
  return (
    <section aria-labelledby="clusters">
      <div className={classes.head}>
        <h2 id="clusters"><Link to="/clusters">Clusters</Link> <span className={classes.count}>{count(total)}</span></h2>
        <Offer variant="default" may={create} onClick={() => void navigate({ to: '/clusters/new' })}>Connect a cluster</Offer>
      </div>
      {list.problem && <ProblemView problem={list.problem} onRetry={list.onRetry} />}
      {actions.problem && <ProblemView problem={actions.problem} onDismiss={actions.dismiss} />}
      {list.total === undefined && !list.problem && <Loading label="Reading the clusters" lines={4} />}
      {list.total === 0 && <p className={classes.well}>No cluster is shared with you.</p>}
      {rows.length > 0 && <ClusterTable clusters={rows} actions={actions} narrow />}
      {total > rows.length && <p><Link to="/clusters">All {count(total)} clusters</Link></p>}
      {actions.dialog}
    </section>
  )
}
