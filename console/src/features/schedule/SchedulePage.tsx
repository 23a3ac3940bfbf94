import { useQueries } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { keys } from '../../api/keys'
import { type Api, bodyOf, useApi, useMay, useWho } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import { Choices } from '../../ui/Choices'
import type { Column } from '../../ui/columns'
import type { Empty } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { type FilterField, type FilterState, filterText, noFilter } from '../../ui/filter'
import { ListBar } from '../../ui/ListBar'
import { GridLink } from '../../ui/GridLink'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { Time } from '../../ui/Time'
import { usePolicies } from '../policies/policy'
import { textOf, useAddress, useFilter, wordsOf } from '../resources/address'
import { accountPlace, PlaceLink } from '../resources/PlaceLink'
import { pageOf } from '../resources/resource'
import { type RangeKey, rangeOf, rangeQuery, ranges, type Scheduled, summary } from './schedule'
import classes from './schedule.module.css'
import { ScheduleBrief } from './ScheduleState'

// Loaded when a row is opened.
const OneAccount = lazy(() => import('./OneAccount').then((m) => ({ default: m.OneAccount })))

const columns: readonly Column<Scheduled>[] = [
  { key: 'state', title: 'Next change', width: 150, render: (a) => <ScheduleBrief account={a} /> },
  { key: 'at', title: 'At', width: 210, priority: 2, render: ({ nextAt }) => (nextAt ? <Time at={nextAt} as="exact" /> : <span className={classes.muted}>not known</span>) },
  {
    key: 'account', title: 'Account', width: 200, grow: 2,
    render: (a) => <PlaceLink place={accountPlace({ ...a, accountName: a.name })} inGrid><bdi>{a.name}</bdi> <span className={classes.muted}>on <bdi>{a.resourceName}</bdi></span></PlaceLink>,
  },
  {
    key: 'policy', title: 'Policy', width: 120, grow: 1, priority: 1,
    render: ({ policy = '' }) => <GridLink place={{ to: '/policies/$policy', params: { policy } }} className={`${classes.link} ${classes.cell}`}><bdi>{policy}</bdi></GridLink>,
  },
  { key: 'why', title: 'Why then', width: 200, grow: 2, priority: 3, render: ({ nextWhy }) => <span className={classes.cell}>{nextWhy}</span> },
]

interface Asked {
  q: string | undefined
  resource: string | undefined
  policy: string | undefined
}

const read = async (api: Api, query: Asked & object, more: object, signal: AbortSignal) =>
  bodyOf(await api.GET('/api/v1/schedule', { params: { query: { ...query, ...more } }, signal }))

/** How many there are in each range under the same filter. */
function useCounts(query: Asked): Partial<Record<RangeKey, number>> {
  const api = useApi()
  const results = useQueries({
    queries: ranges.map(({ key }) => ({
      queryKey: keys.counts('account', { ...query, on: 'schedule', range: key }),
      queryFn: async ({ signal }: { signal: AbortSignal }) => (await read(api, query, { ...rangeQuery(key), limit: 1 }, signal)).total,
    })),
  })
  return Object.fromEntries(ranges.flatMap(({ key }, i) => (results[i]?.data === undefined ? [] : [[key, results[i].data]])))
}

/** What is to be changed when, and which rule says so; what is overdue first. */
export function SchedulePage() {
  const api = useApi()
  const who = useWho()
  const mayPolicies = useMay('policy.list')
  const { search, change } = useAddress()
  const policies = usePolicies(mayPolicies.allowed)
  const fields: readonly FilterField[] = [
    { key: 'policy', label: 'Policy', values: policies.data?.map(({ name, accounts }) => ({ value: name, count: accounts })) },
    { key: 'resource', label: 'Resource' },
  ]
  const { filter, setFilter } = useFilter(fields, ['policy', 'resource'])
  const range = rangeOf(textOf(search['range']))
  const query: Asked = { q: filter.text || undefined, resource: wordsOf(filter, 'resource')[0], policy: wordsOf(filter, 'policy')[0] }
  const list = useList<Scheduled>({
    kind: 'account',
    filter: { ...query, on: 'schedule', range },
    load: async (offset, limit, signal) => pageOf(await read(api, query, { ...rangeQuery(range), offset, limit }, signal)),
  })
  const counts = useCounts(query)
  const open = textOf(search['open'])
  const shown = list.first.find(({ id }) => id === open)
  const policyOf = (name: string | undefined) => policies.data?.find((one) => one.name === name)
  return (
    <>
      <PageHead title="Schedule" actions={<Offer may={mayPolicies} to={{ to: '/policies' }}>Policies</Offer>}>
        {counts[''] === undefined ? '\u00a0' : summary(counts)}
      </PageHead>
      <ListBar>
        <FilterBar label="Filter the schedule" fields={fields} value={filter} onChange={setFilter} />
        <Choices label="Due" options={ranges.map(({ key, label }) => ({ key, label, n: counts[key] }))} chosen={range} onChoose={(key) => change({ range: key })} />
      </ListBar>
      <ListGrid
        list={list}
        label="Schedule"
        columns={columns}
        idOf={({ id }) => id}
        nameOf={({ name, resourceName }) => `${name} on ${resourceName}`}
        onOpen={({ id }) => change({ open: id }, { push: true })}
        open={open}
        empty={emptyOf(filter, range, who.user.role, () => { setFilter(noFilter); change({ range: '', policy: '', resource: '', q: '' }) })}
      />
      {shown && <Suspense><OneAccount account={shown} policy={policyOf(shown.policy)} onClose={() => change({ open: '' })} /></Suspense>}
    </>
  )
}

function emptyOf(filter: FilterState, range: RangeKey, role: string, onClear: () => void): Empty {
  const text = [filterText(filter), range !== '' && (ranges.find(({ key }) => key === range)?.label ?? '')].filter(Boolean).join(' ')
  if (text !== '') return { why: 'no-match', filter: text, onClear }
  if (role === 'user') return { why: 'no-grants', what: 'any account that is changed by itself', ask: 'Ask whoever manages the accounts that you work with for a grant.' }
  return {
    why: 'first', title: 'Nothing is planned', text: 'An account is changed by itself when its policy gives an interval, a cron line or an oldest age, and a value is stored.',
    action: <PlaceLink place={{ to: '/policies' }}>See the policies</PlaceLink>,
  }
}
