import { Button } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { count } from '../../ui/format'
import { Time } from '../../ui/Time'
import { onWriteOf } from '../accounts/onWrite'
import { problemOfQuery } from './named'
import classes from './parts.module.css'
import { kubernetes, pageOf, type Resource } from './resource'
import { StateWord } from './StateCounts'
import { Unmapped } from './Unmapped'
import { Loaded } from './Waiting'
import { accountPlace, secretPlace, PlaceLink } from './PlaceLink'

type Mapping = Schemas['Mapping']

const secret: Column<Mapping> = {
  key: 'secret', title: 'Secret', width: 180, grow: 2,
  render: (m) => <PlaceLink place={secretPlace({ clusterName: m.clusterName, namespace: m.namespace, name: m.secret })} inGrid><bdi>{m.namespace}/{m.secret}</bdi></PlaceLink>,
}
const key: Column<Mapping> = { key: 'key', title: 'Key', width: 130, grow: 1, sortable: true, render: (m) => <code><bdi>{m.key}</bdi></code> }
const account: Column<Mapping> = {
  key: 'accountName', title: 'Account', width: 180, grow: 1, sortable: true,
  render: (m) => <PlaceLink place={accountPlace(m)} inGrid><bdi>{m.accountName}</bdi> on <bdi>{m.resourceName}</bdi></PlaceLink>,
}
const version: Column<Mapping> = {
  key: 'version', title: 'Version', width: 110, priority: 1,
  render: (m) => (m.written === 0 ? <span className={classes.muted}>not written</span> : m.written === m.current ? `v${m.written}` : `v${m.written} of v${m.current}`),
}
const state: Column<Mapping> = { key: 'state', title: 'State', width: 130, sortable: true, render: (m) => <StateWord object="key" state={m.state} /> }
const checked: Column<Mapping> = { key: 'checked', title: 'Compared', width: 110, priority: 2, render: ({ checkedAt }) => (checkedAt ? <Time at={checkedAt} /> : <span className={classes.muted}>never</span>) }
const cluster: Column<Mapping> = { key: 'cluster', title: 'Cluster', width: 120, priority: 2, render: (m) => <bdi>{m.clusterName}</bdi> }

const onWrite: Column<Mapping> = { key: 'onWrite', title: 'After a reset', width: 110, priority: 2, render: (m) => onWriteOf(m.onWrite)?.short ?? m.onWrite }

const perStep = 20
// As many rows as the server gives at once.
const most = 500

/** Which keys are mapped to which account: the keys of a namespace, or those that hold this resource's accounts. */
export function MappedTab({ resource }: { resource: Resource }) {
  const api = useApi()
  const isKube = resource.type === kubernetes
  const [sort, setSort] = useState('state')
  const query = { resource: resource.id, sort }
  const list = useList<Mapping>({
    kind: 'mapping',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/mappings', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  return (
    <>
      <ListGrid
        label={`Mapped keys of ${resource.name}`}
        columns={isKube ? [secret, state, key, account, version, onWrite, checked] : [account, state, secret, key, version, cluster, onWrite, checked]}
        list={list}
        idOf={({ id }) => id}
        nameOf={(m) => `${m.secret} ${m.key}`}
        sort={sort}
        onSort={setSort}
        empty={{
          why: 'first',
          title: 'No key is mapped yet',
          text: isKube
            ? 'A mapping says that a Secret key holds an account’s password. Map one below, or open an account and associate it.'
            : 'A mapping says that a Secret key holds an account’s password. Open an account and associate it with the keys that use it.',
        }}
      />
      {isKube && <UnmappedKeys resource={resource} />}
    </>
  )
}

/** The keys of a namespace's Secrets that no account stands in, a page of Secrets at a time. */
function UnmappedKeys({ resource }: { resource: Resource }) {
  const api = useApi()
  const [limit, setLimit] = useState(perStep)
  const filter = { resource: resource.id, unmapped: 'true', limit: String(limit) }
  const secrets = useQuery({
    queryKey: keys.list('secret', filter),
    queryFn: async ({ signal }) => pageOf(bodyOf(await api.GET('/api/v1/secrets', { params: { query: { resource: resource.id, unmapped: true, limit } }, signal }))),
    placeholderData: keepPreviousData,
  })
  return (
    <>
      <div className={classes.section}><h2>Not mapped</h2></div>
      <Loaded of={{ data: secrets.data, problem: problemOfQuery(secrets), onRetry: () => void secrets.refetch() }}>
        {({ items, total }) => (
          <>
            {items.length === 0 ? <p className={classes.note}>Every key of this namespace’s Secrets is mapped.</p> : <Unmapped secrets={items} />}
            {items.length < total && items.length < most && <Button mt="md" variant="default" loading={secrets.isPlaceholderData} onClick={() => setLimit(most)}>Show more of {count(total - items.length)} Secrets</Button>}
            {items.length < total && items.length >= most && <p className={classes.note}>And {count(total - items.length)} more Secrets. Map some of these first, or open one in the list of Secrets.</p>}
          </>
        )}
      </Loaded>
    </>
  )
}
