import { Button, Stack } from '@mantine/core'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { type StateOf, states } from '../../api/states'
import { useMay } from '../../app/api'
import { useList, useRows } from '../../app/list'
import type { Search } from '../../app/search'
import { Counts } from '../../ui/Counts'
import { EmptyState } from '../../ui/EmptyState'
import { type FilterField, filterFromSearch, type FilterState, filterText, filterToSearch, noFilter } from '../../ui/filter'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { ClusterTable } from './ClusterTable'
import { type Cluster, useLoadClusters } from './clusters'
import { Loading } from './Loading'
import { Offer } from '../../ui/Offer'
import { useClusterActions } from './useClusterActions'

const words = Object.keys(states.cluster) as StateOf<'cluster'>[]
const fields: readonly FilterField[] = [{ key: 'state', label: 'State', values: words.map((value) => ({ value })) }]
const pageSize = 200

/** How many of all clusters answer, in one sentence. */
export function answer(counts: Partial<Record<string, number>>): string {
  const all = Object.values(counts).reduce<number>((sum, n) => sum + (n ?? 0), 0)
  const well = counts['connected'] ?? 0
  if (all === 0) return ''
  if (well === all) return all === 1 ? 'The one cluster is connected.' : `All ${count(all)} are connected.`
  return `${count(well)} of ${count(all)} are connected.`
}

/** Every cluster, its state, and why it is in it. */
export function ClustersPage() {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const create = useMay('cluster.create')
  const actions = useClusterActions()
  const [pages, setPages] = useState(1)
  const state = useMemo(() => filterFromSearch(search, fields), [search])
  const filter = useMemo(() => filterToSearch(state), [state])
  const list = useList<Cluster>({ kind: 'cluster', filter, load: useLoadClusters(filter), pageSize })
  const setFilter = (next: FilterState) => void navigate({ to: '.', search: filterToSearch(next) as never, replace: true })

  const { rowAt, onRange, problem } = useRows(list)
  const { counts } = list
  const total = list.total ?? 0
  const shown = Math.min(total, pages * pageSize)
  const rows = Array.from({ length: shown }, (_, i) => rowAt(i)).filter((row) => row !== undefined)
  const chosen = state.tokens.filter(({ key }) => key === 'state').map(({ value }) => value as StateOf<'cluster'>)
  const filtered = state.tokens.length > 0 || state.text !== ''
  const connect = <Offer variant="filled" may={create} onClick={() => void navigate({ to: '/clusters/new' })}>Connect a cluster</Offer>
  const first = total === 0 && list.total !== undefined && !filtered
  const more = () => {
    setPages(pages + 1)
    onRange(0, (pages + 1) * pageSize)
  }
  return (
    <>
      <PageHead title="Clusters" actions={first ? undefined : connect}>{answer(counts) || undefined}</PageHead>
      <Stack gap={12}>
        {actions.problem && <ProblemView problem={actions.problem} onDismiss={actions.dismiss} />}
        {problem && <ProblemView problem={problem} onRetry={list.onRetry} />}
        {!first && list.total !== undefined && (
          <ListBar>
            <FilterBar label="Filter clusters" fields={fields} value={state} onChange={setFilter} />
            <Counts
              label="Clusters by state"
              object="cluster"
              counts={counts}
              chosen={chosen}
              onChoose={(next) => setFilter({ tokens: next.map((value) => ({ key: 'state', value })), text: state.text })}
            />
          </ListBar>
        )}
        {list.total === undefined && !problem && <Loading label="Reading the clusters" />}
        {rows.length > 0 && <ClusterTable clusters={rows} actions={actions} loading={list.loading} />}
        {shown < total && <Button variant="default" onClick={more}>Show {count(Math.min(pageSize, total - shown))} more of {count(total)}</Button>}
        {first && (create.allowed ? (
          <EmptyState
            empty={{
              why: 'first',
              title: 'No cluster is connected',
              text: 'A cluster is where your Secrets live. Keyturn reads them with a token whose rights you choose, and writes only the keys that you map.',
              action: <Button component={Link} to="/clusters/new">Connect a cluster</Button>,
            }}
          />
        ) : (
          <EmptyState empty={{ why: 'no-grants', what: 'any cluster', ask: 'An administrator, or who connected a cluster, can share it with you.' }} />
        ))}
        {total === 0 && filtered && list.total !== undefined && !list.loading && (
          <EmptyState empty={{ why: 'no-match', filter: filterText(state), onClear: () => setFilter(noFilter) }} />
        )}
      </Stack>
      {actions.dialog}
    </>
  )
}
