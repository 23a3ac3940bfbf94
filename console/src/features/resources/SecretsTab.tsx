import { useNavigate } from '@tanstack/react-router'
import { bodyOf, useApi } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import { Counts } from '../../ui/Counts'
import type { Empty } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { type FilterField, filterText, noFilter } from '../../ui/filter'
import { type Secret } from '../secrets/secret'
import { secretColumns } from '../secrets/SecretGrid'
import { textOf, useAddress, useFilter, wordsOf } from './address'
import { allOf, known, pageOf, type Resource } from './resource'
import { secretPlace } from './PlaceLink'

const fields: readonly FilterField[] = [{ key: 'state', label: 'State' }, { key: 'type', label: 'Type' }]
const columns = secretColumns(false)

/** The accounts of a kubernetes resource: the Secrets of its namespace. */
export function SecretsTab({ resource }: { resource: Resource }) {
  const api = useApi()
  const navigate = useNavigate()
  const { search, change } = useAddress()
  const { filter, setFilter } = useFilter(fields)
  const sort = textOf(search['sort'])
  const states = wordsOf(filter, 'state')
  const query = { resource: resource.id, q: filter.text || undefined, state: states, type: wordsOf(filter, 'type'), sort }
  const list = useList<Secret>({
    kind: 'secret',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/secrets', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  const text = filterText(filter)
  const empty: Empty = text !== ''
    ? { why: 'no-match', filter: text, onClear: () => setFilter(noFilter) }
    : { why: 'first', title: 'No Secrets here', text: 'None was fetched from this namespace yet, or you have no grant for any. Choose Secrets on the cluster’s page.' }
  return (
    <>
      <ListBar>
        <FilterBar label="Filter Secrets" fields={fields.map((f) => (f.key === 'state' ? { ...f, values: Object.entries(list.counts).map(([value, n]) => ({ value, count: n })) } : f))} value={filter} onChange={setFilter} />
        <Counts label="Secrets by state" object="key" counts={list.counts} total={allOf(list.counts)} chosen={states.flatMap((word) => known('key', word) ?? [])} onChoose={(words) => change({ state: [...words] })} />
      </ListBar>
      <ListGrid
        label={`Secrets of ${resource.name}`}
        columns={columns}
        list={list}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        sort={sort ?? 'namespace'}
        onSort={(next) => change({ sort: next })}
        onOpen={(s) => void navigate(secretPlace(s) as never)}
        empty={empty}
      />
    </>
  )
}
