import { useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { Confirm } from '../../ui/Confirm'
import { Counts } from '../../ui/Counts'
import { Drawer } from '../../ui/Drawer'
import type { Empty } from '../../ui/EmptyState'
import { Fact, Facts } from '../../ui/Fact'
import { filterFromSearch } from '../../ui/filter'
import { Time } from '../../ui/Time'
import { textOf, useAddress, wordsOf } from '../resources/address'
import { useRead } from '../resources/named'
import { ListBar } from '../../ui/ListBar'
import { Offer } from '../../ui/Offer'
import classes from '../resources/parts.module.css'
import { accountPlace, PlaceLink, secretPlace } from '../resources/PlaceLink'
import { known, pageOf } from '../resources/resource'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { type Account, type Mapping, worstMappings } from './account'
import { EditMapping } from './EditMapping'
import { onWriteOf } from './onWrite'
import { holdsText, placeText } from './place'

const fields = [{ key: 'state', label: 'State' }]

const columnsFor = (onUnmap: (m: Mapping) => void): readonly Column<Mapping>[] => [
  {
    key: 'secret', title: 'Secret', width: 180, grow: 2,
    render: (m) => <PlaceLink inGrid place={secretPlace({ ...m, name: m.secret })}><bdi>{m.namespace}/{m.secret}</bdi></PlaceLink>,
  },
  { key: 'state', title: 'State', width: 120, render: (m) => <StateWord object="key" state={m.state} /> },
  { key: 'key', title: 'Key', width: 120, grow: 1, render: (m) => <><code><bdi>{m.key}</bdi></code>{m.place && <span className={classes.muted}> {placeText(m.place)}</span>}{m.holds && m.holds !== 'password' && <span className={classes.muted}> {holdsText(m.holds)}</span>}</> },
  { key: 'cluster', title: 'Cluster', width: 110, priority: 1, render: (m) => <bdi>{m.clusterName}</bdi> },
  {
    key: 'onWrite', title: 'After a reset', width: 110, priority: 2, render: ({ onWrite }) => onWriteOf(onWrite)?.short ?? onWrite,
  },
  {
    key: 'version', title: 'Version', width: 110, priority: 2,
    render: (m) => (m.written === 0 ? <span className={classes.muted}>not written</span> : m.written === m.current ? `v${m.written}` : `v${m.written} of v${m.current}`),
  },
  { key: 'reason', title: 'Why', width: 140, grow: 2, priority: 4, render: ({ reason }) => <span className={classes.muted}>{reason}</span> },
  { key: 'checked', title: 'Compared', width: 110, priority: 3, render: ({ checkedAt }) => (checkedAt ? <Time at={checkedAt} /> : <span className={classes.muted}>never</span>) },
  {
    key: 'unmap', title: '', width: 112, align: 'end',
    // On a narrow page, and with the keyboard, the open row offers it.
    render: (m) => (
      <span className={classes.wideOnly}>
        <Offer may={m.can?.['delete']} size="compact-sm" label={`Unmap ${m.secret} ${m.key}…`} onClick={() => onUnmap(m)} inGrid>Unmap…</Offer>
      </span>
    ),
  },
]

/** Where the account's password stands, what needs a person first. */
export function MappingsTab({ account }: { account: Account }) {
  const api = useApi()
  const { search, change } = useAddress()
  const [ending, setEnding] = useState<Mapping>()
  const [editing, setEditing] = useState<Mapping>()
  const shown = useRef<HTMLDivElement>(null)
  const open = textOf(search['open'])
  const states = wordsOf(filterFromSearch(search, fields), 'state')
  const query = { account: account.id, state: states, sort: 'state' }
  const list = useList<Mapping>({
    kind: 'mapping',
    filter: query,
    load: async (offset, limit, signal) => {
      const page = pageOf(bodyOf(await api.GET('/api/v1/mappings', { params: { query: { ...query, offset, limit } }, signal })))
      return { ...page, items: worstMappings(page.items) }
    },
  })
  // The drawer that led to a dialog is gone when the dialog closes: the list has the focus again.
  const back = () => shown.current?.querySelector<HTMLElement>('[role="grid"]')?.focus()
  const place = accountPlace({ ...account, accountName: account.name })
  const associate = <Offer may={account.can?.['map']} to={{ ...place, to: `${place.to}/associate` }}>Associate…</Offer>
  const empty: Empty = states.length > 0
    ? { why: 'no-match', filter: states.map((word) => `state:${word}`).join(' '), onClear: () => change({ state: '' }) }
    : { why: 'first', title: 'No Secret key is mapped', text: 'A mapping says that a Secret key holds this password. A reset then writes the new one there.', action: associate }
  return (
    <>
      <ListBar>
        <Counts label="Mappings by state" object="key" counts={list.counts} chosen={states.flatMap((word) => known('key', word) ?? [])} onChoose={(words) => change({ state: words.length > 0 ? [...words] : '' })} />
        {associate}
      </ListBar>
      <div ref={shown}>
        <ListGrid label={`Mappings of ${account.name}`} columns={columnsFor(setEnding)} list={list} idOf={({ id }) => id} nameOf={(m) => `${m.secret} ${m.key}`} onOpen={({ id }) => change({ open: id }, { push: true })} open={open} empty={empty} />
      </div>
      <Peek id={open} onClose={() => change({ open: '' })} onUnmap={setEnding} onEdit={setEditing} />
      {editing && <EditMapping mapping={editing} opened onClose={() => { setEditing(undefined); back() }} />}
      <Unmap mapping={ending} onClose={() => { setEnding(undefined); back() }} />
    </>
  )
}

/** What is known of one mapping, and the ways to change and to end it. */
function Peek({ id, onClose, onUnmap, onEdit }: { id: string | undefined; onClose: () => void; onUnmap: (m: Mapping) => void; onEdit: (m: Mapping) => void }) {
  const api = useApi()
  const mapping = useRead(keys.one('mapping', id ?? ''), async (signal) => bodyOf(await api.GET('/api/v1/mappings/{mapping}', { params: { path: { mapping: id ?? '' } }, signal })), id !== undefined)
  const found = mapping.data
  const then = (ask: (m: Mapping) => void) => () => {
    if (!found) return
    // A drawer and a dialog are never open together.
    onClose()
    ask(found)
  }
  const actions = found && (
    <>
      <Offer may={found.can?.['update']} onClick={then(onEdit)}>Edit…</Offer>
      <Offer may={found.can?.['delete']} onClick={then(onUnmap)}>Unmap…</Offer>
    </>
  )
  return (
    <Drawer opened={id !== undefined} onClose={onClose} title={found ? <bdi>{found.namespace}/{found.secret}: {found.key}</bdi> : 'Mapping'} actions={actions}>
      <Loaded of={mapping}>
        {(m) => (
          <Facts>
            <Fact label="State"><StateWord object="key" state={m.state} /></Fact>
            {m.reason && <Fact label="Why">{m.reason}</Fact>}
            <Fact label="Secret"><PlaceLink place={secretPlace({ ...m, name: m.secret })}><bdi>{m.namespace}/{m.secret}</bdi></PlaceLink></Fact>
            <Fact label="Key"><code><bdi>{m.key}</bdi></code></Fact>
            {m.holds && m.holds !== 'password' && <Fact label="Holds">{holdsText(m.holds)}</Fact>}
            {m.place && <Fact label={m.holds === 'both' ? 'They are' : 'The password is'}><bdi>{placeText(m.place)}</bdi></Fact>}
            <Fact label="Cluster"><bdi>{m.clusterName}</bdi></Fact>
            <Fact label="After a reset">{onWriteOf(m.onWrite)?.label ?? m.onWrite}</Fact>
            <Fact label="Version there">{m.written === 0 ? 'none was written or proved' : `v${m.written}${m.written === m.current ? ', the current one' : `; the current one is v${m.current}`}`}</Fact>
            <Fact label="Compared">{m.checkedAt ? <Time at={m.checkedAt} as="exact" /> : 'never'}</Fact>
            <Fact label="Mapped by"><bdi>{m.createdBy}</bdi> <Time at={m.createdAt} /></Fact>
          </Facts>
        )}
      </Loaded>
    </Drawer>
  )
}

function Unmap({ mapping, onClose }: { mapping: Mapping | undefined; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const unmap = async () => {
    if (!mapping) return
    await api.DELETE('/api/v1/mappings/{mapping}', { params: { path: { mapping: mapping.id }, header: ifMatch(`"${mapping.rev}"`) } })
    void client.invalidateQueries({ queryKey: keys.lists('mapping') })
    void client.invalidateQueries({ queryKey: keys.one('account', mapping.accountId) })
    void client.invalidateQueries({ queryKey: keys.one('secret', mapping.secretId) })
  }
  return (
    <Confirm
      opened={mapping !== undefined}
      onClose={onClose}
      level={2}
      verb="Unmap"
      object={mapping ? `${mapping.namespace}/${mapping.secret}: ${mapping.key}` : ''}
      consequences={['The key keeps the value that it has now.', `A reset of ${mapping?.accountName ?? 'the account'} no longer writes there; what reads the key would keep the old password.`]}
      onConfirm={unmap}
    />
  )
}
