import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import { Counts } from '../../ui/Counts'
import { Drawer } from '../../ui/Drawer'
import type { Empty } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { type FilterField, filterText, noFilter } from '../../ui/filter'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { textOf, useAddress, useFilter, wordsOf } from '../resources/address'
import { useRead } from '../resources/named'
import { Offer } from '../../ui/Offer'
import classes from '../resources/parts.module.css'
import { PlaceLink, secretPlace } from '../resources/PlaceLink'
import { allOf, known, pageOf, worstFirst } from '../resources/resource'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { type Secret, secretAnswer } from './secret'
import { Trouble } from './Trouble'
import { secretColumns } from './SecretGrid'

// Loaded when the drawer is first opened.
const SecretKeys = lazy(() => import('./SecretKeys').then((m) => ({ default: m.SecretKeys })))

const once = ['cluster', 'ns']
const fields: readonly FilterField[] = [
  { key: 'cluster', label: 'Cluster' },
  { key: 'ns', label: 'Namespace' },
  { key: 'state', label: 'State' },
  { key: 'type', label: 'Type', values: ['Opaque', 'kubernetes.io/tls', 'kubernetes.io/dockerconfigjson', 'kubernetes.io/basic-auth', 'kubernetes.io/ssh-auth'].map((value) => ({ value })) },
]
const columns = secretColumns(true)

/** How many there are and how many need a look, in one sentence. */
export function explorerAnswer(counts: Readonly<Record<string, number>>): string {
  const all = allOf(counts)
  const open = worstFirst('key', counts).filter(([word]) => word !== 'in_sync' && word !== 'tombstone' && word !== 'hands_off')
  const noun = all === 1 ? 'Secret' : 'Secrets'
  if (open.length === 0) return `${count(all)} ${noun}, ${all === 1 ? 'as in its cluster' : 'all as in their clusters'}.`
  return `${count(all)} ${noun}; ${open.map(([word, n]) => `${count(n)} ${word.replaceAll('_', ' ')}`).join(', ')}.`
}

export function SecretsPage() {
  const api = useApi()
  const navigate = useNavigate()
  const mayConnect = useMay('cluster.create')
  const { search, change } = useAddress()
  const { filter, setFilter } = useFilter(fields, once)
  const sort = textOf(search['sort'])
  const states = wordsOf(filter, 'state')
  const query = { q: filter.text || undefined, cluster: wordsOf(filter, 'cluster')[0], namespace: wordsOf(filter, 'ns')[0], type: wordsOf(filter, 'type'), state: states, sort }
  const list = useList<Secret>({
    kind: 'secret',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/secrets', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  const [filtering, setFiltering] = useState(false)
  const clusters = useRead(keys.list('cluster', { as: 'choice' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/clusters', { params: { query: { limit: 500 } }, signal })).items ?? [], filtering)
  const offered = fields.map((field) => {
    if (field.key === 'state') return { ...field, values: Object.entries(list.counts).map(([value, n]) => ({ value, count: n })) }
    if (field.key === 'cluster') return { ...field, values: (clusters.data ?? []).map(({ name, secrets }) => ({ value: name, count: secrets })) }
    return field
  })
  const text = filterText(filter)
  const empty: Empty = text !== ''
    ? { why: 'no-match', filter: text, onClear: () => setFilter(noFilter) }
    : mayConnect.allowed
      ? { why: 'first', title: 'No Secrets yet', text: 'Secrets come from connected clusters: connect one and choose what to fetch.', action: <Offer may={mayConnect} variant="filled" to={{ to: '/clusters' }}>Open clusters</Offer> }
      : { why: 'no-grants', what: 'any Secret', ask: 'Ask whoever manages the Secrets that you work with for a grant.' }
  const open = textOf(search['open'])
  return (
    <>
      <PageHead title="Secrets">{list.total === undefined ? '\u00a0' : explorerAnswer(list.counts)}</PageHead>
      <ListBar>
        <FilterBar label="Filter Secrets" fields={offered} value={filter} onChange={setFilter} onFocus={() => setFiltering(true)} />
        <Counts label="Secrets by state" object="key" counts={list.counts} total={allOf(list.counts)} chosen={states.flatMap((word) => known('key', word) ?? [])} onChoose={(words) => change({ state: words.length > 0 ? [...words] : '' })} />
      </ListBar>
      <ListGrid
        label="Secrets"
        columns={columns}
        list={list}
        idOf={({ id }) => id}
        nameOf={(s) => `${s.namespace}/${s.name}`}
        sort={sort ?? 'namespace'}
        onSort={(next) => change({ sort: next })}
        onOpen={({ id }) => change({ open: id }, { push: true })}
        open={open}
        empty={empty}
      />
      <Peek id={open} onClose={() => change({ open: '' })} onPage={(s) => void navigate(secretPlace(s) as never)} />
    </>
  )
}

/** A look at one Secret beside the list, without values. */
function Peek({ id, onClose, onPage }: { id: string | undefined; onClose: () => void; onPage: (secret: Secret) => void }) {
  const api = useApi()
  const secret = useRead(keys.one('secret', id ?? ''), async (signal) => bodyOf(await api.GET('/api/v1/secrets/{secret}', { params: { path: { secret: id ?? '' } }, signal })), id !== undefined)
  const found = secret.data
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      title={found ? <bdi>{found.namespace}/{found.name}</bdi> : 'Secret'}
      actions={found && <Offer may={{ allowed: true }} variant="filled" onClick={() => onPage(found)}>Open the Secret</Offer>}
    >
      <Loaded of={secret}>
        {(data) => (
          <>
            <div className={classes.line}><StateWord object="key" state={data.state} /><Trouble of={data} /><span><bdi>{data.clusterName}</bdi></span><span className={classes.muted}>{data.type}</span></div>
            <p className={classes.note}>{secretAnswer(data)}</p>
            <div className={classes.section}><h2>Keys</h2><PlaceLink place={secretPlace(data)}>Reveal or download on its page</PlaceLink></div>
            <Suspense><SecretKeys secret={data} values={false} /></Suspense>
          </>
        )}
      </Loaded>
    </Drawer>
  )
}
