import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { useList, useRows } from '../../app/list'
import type { Column } from '../../ui/columns'
import { Counts } from '../../ui/Counts'
import { Drawer } from '../../ui/Drawer'
import { type Empty, EmptyState } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { type FilterField, filterText, noFilter } from '../../ui/filter'
import { Grid } from '../../ui/Grid'
import { ListBar } from '../../ui/ListBar'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { Time } from '../../ui/Time'
import { textOf, useAddress, useFilter, wordsOf } from '../resources/address'
import { useRead } from '../resources/named'
import { PlaceLink, secretPlace } from '../resources/PlaceLink'
import { pageOf } from '../resources/resource'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { changedKeys, type Conflict, conflictState, conflictsAnswer, pathName, secretName, unsettled } from './conflict'
import classes from './conflicts.module.css'
import { KeepMany } from './KeepMany'
import { OneConflict } from './OneConflict'

const once = ['cluster', 'resource']
const fields: readonly FilterField[] = [
  { key: 'cluster', label: 'Cluster' },
  { key: 'resource', label: 'Resource' },
  { key: 'state', label: 'State' },
]
const sorts = ['path', '-path', 'changed', '-changed']
const columns: readonly Column<Conflict>[] = [
  { key: 'path', title: 'Secret', width: 190, grow: 2, sortable: true, render: (x) => <PlaceLink place={secretPlace(x)} inGrid><bdi>{secretName(x)}</bdi></PlaceLink> },
  { key: 'state', title: 'State', width: 110, render: (x) => <StateWord object="conflict" state={x.state} /> },
  { key: 'keys', title: 'Changed in the cluster', width: 220, grow: 3, render: (x) => <span className={classes.cell}><bdi>{changedKeys(x)}</bdi></span> },
  { key: 'by', title: 'By', width: 120, grow: 1, priority: 2, render: ({ changedBy }) => <span className={classes.cell}><bdi>{changedBy ?? 'not known'}</bdi></span> },
  { key: 'changed', title: 'When', width: 110, sortable: true, priority: 1, render: ({ changedAt }) => <Time at={changedAt} /> },
  { key: 'cluster', title: 'Cluster', width: 110, priority: 3, render: ({ clusterName }) => <bdi>{clusterName}</bdi> },
]
/** How many are read at a time when all that match are chosen, and how many can be chosen. */
const pageSize = 500
const most = 1000

/** Secrets that were changed in their cluster where that does not simply count: what changed, and which side is right. */
export function ConflictsPage() {
  const list = useMay('conflict.list')
  return (
    <>
      {!list.allowed && <PageHead title="Conflicts" />}
      {list.allowed ? <Inbox /> : <EmptyState empty={{ why: 'no-grants', what: 'conflicts', ask: list.reason ?? 'Ask whoever manages the Secrets that you work with.' }} />}
    </>
  )
}

function Inbox() {
  const api = useApi()
  const { search, change } = useAddress()
  const { filter, setFilter } = useFilter(fields, once)
  const sort = sorts.find((one) => one === textOf(search['sort']))
  const states = wordsOf(filter, 'state').flatMap((word) => conflictState(word) ?? [])
  const query = { q: filter.text || undefined, cluster: wordsOf(filter, 'cluster')[0], resource: wordsOf(filter, 'resource')[0], state: states, sort }
  const list = useList<Conflict>({
    kind: 'conflict',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/conflicts', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  const rows = useRows(list)
  const [chosen, setChosen] = useState<ReadonlyMap<string, Conflict>>(new Map())
  const [filtering, setFiltering] = useState(false)
  const clusters = useRead(keys.list('cluster', { as: 'choice' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/clusters', { params: { query: { limit: 500 } }, signal })).items ?? [], filtering)
  const offered = fields.map((field) => {
    if (field.key === 'state') return { ...field, values: Object.entries(list.counts).map(([value, n]) => ({ value, count: n })) }
    if (field.key === 'cluster') return { ...field, values: (clusters.data ?? []).map(({ name }) => ({ value: name })) }
    return field
  })
  /** Keeps what was chosen as it was then; a new one is taken as it is shown. */
  const choose = (ids: ReadonlySet<string>) => {
    const shown = new Map(Array.from({ length: list.total ?? 0 }, (_, i) => rows.rowAt(i)).flatMap((x) => (x === undefined ? [] : [[x.id, x] as const])))
    setChosen(new Map([...ids].flatMap((id) => { const x = chosen.get(id) ?? shown.get(id); return x === undefined ? [] : [[id, x] as const] })))
  }
  const chooseAll = async () => {
    const all: Conflict[] = []
    for (let offset = 0; offset < most; offset += pageSize) {
      const page = bodyOf(await api.GET('/api/v1/conflicts', { params: { query: { ...query, offset, limit: pageSize } } }))
      all.push(...(page.items ?? []))
      if (all.length >= page.total) break
    }
    setChosen(new Map(all.map((x) => [x.id, x])))
  }
  const text = filterText(filter)
  const empty: Empty = text !== ''
    ? { why: 'no-match', filter: text, onClear: () => setFilter(noFilter) }
    : { why: 'first', title: 'No conflicts', text: 'A Secret that is changed in its cluster waits here where its drift policy is to ask, or where the vault’s values could not be written again.' }
  const open = textOf(search['open'])
  return (
    <>
      <PageHead title="Conflicts">{list.total === undefined ? '\u00a0' : conflictsAnswer(list.counts)}</PageHead>
      <ListBar>
        <FilterBar label="Filter conflicts" fields={offered} value={filter} onChange={setFilter} onFocus={() => setFiltering(true)} />
        <Counts label="Conflicts by state" object="conflict" counts={list.counts} total={unsettled(list.counts)} chosen={states} onChoose={(words) => change({ state: words.length > 0 ? [...words] : '' })} />
      </ListBar>
      <KeepMany chosen={[...chosen.values()]} total={Math.min(list.total ?? 0, most)} onAll={chooseAll} onChoose={(left) => setChosen(new Map(left.map((x) => [x.id, x])))} />
      <Grid
        {...rows}
        label="Conflicts"
        columns={columns}
        total={list.total}
        resetKey={list.resetKey}
        loading={list.loading}
        problem={list.problem}
        onRetry={list.onRetry}
        idOf={({ id }) => id}
        nameOf={pathName}
        selection={new Set(chosen.keys())}
        onSelection={choose}
        sort={sort}
        onSort={(next) => change({ sort: next })}
        onOpen={({ id }) => change({ open: id }, { push: true })}
        open={open}
        empty={empty}
      />
      <Peek id={open} onClose={() => change({ open: '' })} />
    </>
  )
}

/** One conflict beside the list, where it is decided. */
function Peek({ id, onClose }: { id: string | undefined; onClose: () => void }) {
  const api = useApi()
  const one = useRead(keys.one('conflict', id ?? ''), async (signal) => bodyOf(await api.GET('/api/v1/conflicts/{secret}', { params: { path: { secret: id ?? '' } }, signal })), id !== undefined)
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      title={one.data ? <bdi>{secretName(one.data)}</bdi> : 'Conflict'}
      actions={one.data && <Offer may={{ allowed: true }} to={secretPlace(one.data)}>Open the Secret</Offer>}
    >
      <Loaded of={one}>{(x) => <OneConflict key={x.id} conflict={x} />}</Loaded>
    </Drawer>
  )
}
