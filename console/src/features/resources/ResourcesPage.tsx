import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { bodyOf, useApi, useMay } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import type { Empty } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { type FilterField, filterText, noFilter } from '../../ui/filter'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { textOf, useAddress, useFilter, wordsOf } from './address'
import { Offer } from '../../ui/Offer'
import classes from './parts.module.css'
import { kubernetes, pageOf, type Resource } from './resource'
import { StateCounts } from './StateCounts'
import { resourcePlace, PlaceLink } from './PlaceLink'

// Loaded when it is first shown.
const NewResource = lazy(() => import('./NewResource').then((m) => ({ default: m.NewResource })))

const columns: readonly Column<Resource>[] = [
  {
    key: 'name', title: 'Resource', width: 200, grow: 2, sortable: true,
    render: ({ name }) => <PlaceLink place={resourcePlace(name)} inGrid><bdi>{name}</bdi></PlaceLink>,
  },
  { key: 'type', title: 'Type', width: 110, priority: 1, sortable: true, render: ({ type }) => type },
  {
    key: 'states', title: 'States', width: 300, grow: 3, priority: 0,
    render: ({ type, states }) => <StateCounts object={type === kubernetes ? 'key' : 'account'} counts={states} />,
  },
  {
    key: 'where', title: 'Cluster / namespace', width: 180, grow: 1, priority: 2,
    render: (r) => (r.clusterName ? <bdi>{r.clusterName} / {r.namespace}{r.clusterRemoved ? ' (cluster removed)' : ''}</bdi> : <span className={classes.muted}>—</span>),
  },
  { key: 'accounts', title: 'Holds', width: 110, priority: 3, render: ({ type, accounts }) => `${count(accounts)} ${type === kubernetes ? 'Secret' : 'account'}${accounts === 1 ? '' : 's'}` },
]

const fieldsFor = (counts: Readonly<Record<string, number>>): FilterField[] => [
  { key: 'type', label: 'Type', values: Object.entries(counts).map(([value, n]) => ({ value, count: n })) },
  { key: 'cluster', label: 'Cluster' },
]

/** What there is, in one sentence: "12 resources: 8 kubernetes, 4 postgresql." */
export function answerOf(counts: Readonly<Record<string, number>>): string {
  const types = Object.entries(counts).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a)
  const all = types.reduce((sum, [, n]) => sum + n, 0)
  const noun = all === 1 ? 'resource' : 'resources'
  if (types.length <= 1) return `${count(all)} ${types[0] ? `${types[0][0]} ` : ''}${noun}.`
  return `${count(all)} ${noun}: ${types.map(([type, n]) => `${count(n)} ${type}`).join(', ')}.`
}

export function ResourcesPage() {
  const api = useApi()
  const navigate = useNavigate()
  const may = useMay('resource.create')
  const { search, change } = useAddress()
  const { filter, setFilter } = useFilter(fieldsFor({}), ['cluster'])
  const sort = textOf(search['sort'])
  const query = { q: filter.text || undefined, type: wordsOf(filter, 'type'), cluster: wordsOf(filter, 'cluster')[0], sort }
  const list = useList<Resource>({
    kind: 'resource',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/resources', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  const text = filterText(filter)
  const add = () => change({ dialog: 'new' }, { push: true })
  const empty: Empty = text !== ''
    ? { why: 'no-match', filter: text, onClear: () => setFilter(noFilter) }
    : may.allowed
      ? { why: 'first', title: 'No resources yet', text: 'A resource is a system with accounts: a database, or a namespace whose Secrets were fetched.', action: <Offer may={may} variant="filled" onClick={add}>New resource</Offer> }
      : { why: 'no-grants', what: 'any resource', ask: 'Ask an administrator for a grant on the resources that you work with.' }
  return (
    <>
      <PageHead title="Resources" actions={<Offer may={may} variant="filled" onClick={add}>New resource</Offer>}>
        {list.total === undefined ? '\u00a0' : answerOf(list.counts)}
      </PageHead>
      <ListBar>
        <FilterBar label="Filter resources" fields={fieldsFor(list.counts)} value={filter} onChange={setFilter} />
      </ListBar>
      <ListGrid
        label="Resources"
        columns={columns}
        list={list}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        sort={sort ?? 'name'}
        onSort={(next) => change({ sort: next })}
        onOpen={({ name }) => void navigate(resourcePlace(name) as never)}
        empty={empty}
      />
      <Suspense>{textOf(search['dialog']) === 'new' && <NewResource opened={textOf(search['dialog']) === 'new'} onClose={() => change({ dialog: '' })} />}</Suspense>
    </>
  )
}
