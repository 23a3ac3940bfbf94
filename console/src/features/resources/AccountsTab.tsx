import { useNavigate } from '@tanstack/react-router'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { Counts } from '../../ui/Counts'
import type { Empty } from '../../ui/EmptyState'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { type FilterField, filterText, noFilter } from '../../ui/filter'
import { Time } from '../../ui/Time'
import { textOf, useAddress, useFilter, wordsOf } from './address'
import { Offer } from '../../ui/Offer'
import classes from './parts.module.css'
import { known, pageOf, type Resource } from './resource'
import { Readiness } from '../plans/Readiness'
import { ScheduleBrief } from '../schedule/ScheduleState'
import { StateCounts, StateWord } from './StateCounts'
import { accountPlace, PlaceLink } from './PlaceLink'

type Account = Schemas['Account']

const columns: readonly Column<Account>[] = [
  {
    key: 'name', title: 'Account', width: 180, grow: 2, sortable: true,
    render: (a) => (
      <PlaceLink place={accountPlace({ ...a, accountName: a.name })} inGrid>
        <bdi>{a.name}</bdi>
      </PlaceLink>
    ),
  },
  { key: 'state', title: 'State', width: 140, sortable: true, render: ({ state }) => <StateWord object="account" state={state} /> },
  { key: 'mappings', title: 'Mappings', width: 200, grow: 1, priority: 1, render: ({ mappings }) => <StateCounts object="key" counts={mappings} /> },
  { key: 'verifiedAt', title: 'Proved', width: 120, priority: 2, sortable: true, render: ({ verifiedAt }) => (verifiedAt ? <Time at={verifiedAt} /> : <span className={classes.muted}>never</span>) },
  { key: 'next', title: 'Next change', width: 170, priority: 3, render: (a) => <ScheduleBrief account={a} /> },
  { key: 'readiness', title: 'Rehearsed', width: 140, priority: 3, render: ({ readiness, rehearsedAt }) => <Readiness state={readiness} at={rehearsedAt} /> },
  { key: 'current', title: 'Version', width: 80, priority: 4, render: ({ current }) => (current > 0 ? `v${current}` : <span className={classes.muted}>none</span>) },
]

const fields: readonly FilterField[] = [{ key: 'state', label: 'State', values: ['verified', 'unverified', 'out_of_sync', 'locked_out'].map((value) => ({ value })) }]

/** The accounts of a resource that is no namespace. */
export function AccountsTab({ resource, may, onAdd }: { resource: Resource; may: boolean; onAdd: () => void }) {
  const api = useApi()
  const navigate = useNavigate()
  const { search, change } = useAddress()
  const { filter, setFilter } = useFilter(fields)
  const sort = textOf(search['sort'])
  const states = wordsOf(filter, 'state')
  const query = { resource: resource.id, q: filter.text || undefined, state: states, sort }
  const list = useList<Account>({
    kind: 'account',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/accounts', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  const create = resource.can?.['createAccount']
  const text = filterText(filter)
  const empty: Empty = text !== ''
    ? { why: 'no-match', filter: text, onClear: () => setFilter(noFilter) }
    : may || create?.allowed
      ? { why: 'first', title: 'No accounts yet', text: `An account is a login on ${resource.name} whose password Keyturn keeps, proves and changes.`, action: <Offer may={create} variant="filled" onClick={onAdd}>New account</Offer> }
      : { why: 'no-grants', what: `accounts on ${resource.name}`, ask: 'Ask whoever manages this resource for a grant.' }
  return (
    <>
      <ListBar>
        <FilterBar label="Filter accounts" fields={fields} value={filter} onChange={setFilter} />
        <Counts label="Accounts by state" object="account" counts={list.counts} chosen={states.flatMap((word) => known('account', word) ?? [])} onChoose={(words) => change({ state: [...words] })} />
      </ListBar>
      <ListGrid
        label={`Accounts of ${resource.name}`}
        columns={columns}
        list={list}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        sort={sort ?? 'name'}
        onSort={(next) => change({ sort: next })}
        onOpen={(a) => void navigate(accountPlace({ ...a, accountName: a.name }) as never)}
        empty={empty}
      />
    </>
  )
}
