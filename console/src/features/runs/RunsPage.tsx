import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { states } from '../../api/states'
import { bodyOf, type Schemas, useApi, useWho } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { Counts } from '../../ui/Counts'
import type { Empty } from '../../ui/EmptyState'
import { type FilterField, filterFromSearch, type FilterState, filterText, filterToSearch, noFilter } from '../../ui/filter'
import { FilterBar } from '../../ui/FilterBar'
import { ListBar } from '../../ui/ListBar'
import { count, shortId } from '../../ui/format'
import { GridLink } from '../../ui/GridLink'
import { PageHead } from '../../ui/PageHead'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { age, isOpen, type Run, runState, took } from './run'
import classes from './Run.module.css'

const sorts = ['createdAt', '-createdAt', 'state', '-state']

const columns: Column<Run>[] = [
  {
    key: 'account', title: 'Account', width: 180, grow: 2,
    render: (run) => (
      <GridLink place={{ to: '/runs/$run', params: { run: run.id } }} className={`${classes.link} ${classes.cell}`}>
        <bdi>{run.accountName}</bdi> <span className={classes.of}>on <bdi>{run.resourceName}</bdi></span>
      </GridLink>
    ),
  },
  {
    key: 'state', title: 'State', width: 168, sortable: true,
    render: (run) => {
      const known = runState(run.state)
      return known === undefined ? run.state : <State object="run" state={known} />
    },
  },
  { key: 'proved', title: 'Keys proved', width: 110, align: 'end', priority: 1, render: (run) => (run.keys === 0 ? <span className={classes.of}>no keys</span> : `${count(run.keysProved)} of ${count(run.keys)}`) },
  { key: 'actor', title: 'By', width: 130, grow: 1, priority: 3, render: (run) => <bdi className={classes.cell}>{run.actor}</bdi> },
  { key: 'createdAt', title: 'Started', width: 196, sortable: true, priority: 2, render: (run) => <Time at={run.createdAt} as="exact" /> },
  { key: 'took', title: 'Took', width: 100, align: 'end', priority: 4, render: (run) => (isOpen(run) ? '' : took(age(run, 0))) },
  { key: 'id', title: 'Run', width: 80, priority: 5, render: (run) => <span className={classes.of}>{shortId(run.id)}</span> },
]

/** What an address of the list asks for; what is unknown is dropped. */
export function readSearch(search: Readonly<Record<string, unknown>>): { filter: FilterState; sort: string | undefined } {
  const fields: FilterField[] = [{ key: 'state', label: 'State' }, { key: 'account', label: 'Account' }]
  const filter = filterFromSearch(search, fields)
  const known = filter.tokens.filter(({ key, value }) => key !== 'state' || runState(value) !== undefined)
  const sort = search['sort']
  return { filter: { ...filter, tokens: known }, sort: typeof sort === 'string' && sorts.includes(sort) ? sort : undefined }
}

const valuesOf = (filter: FilterState, wanted: string) => filter.tokens.filter(({ key }) => key === wanted).map(({ value }) => value)

/** What the server is asked; an account is named by its id. */
export function readQuery(filter: FilterState, sort: string | undefined) {
  const [account] = valuesOf(filter, 'account')
  return { q: filter.text || undefined, state: valuesOf(filter, 'state') as Schemas['Run']['state'][], account, sort }
}

/** All runs that concern accounts of this user: what runs, what is stuck, what was done. */
export function RunsPage() {
  const api = useApi()
  const who = useWho()
  const navigate = useNavigate()
  const { filter, sort } = readSearch(useSearch({ strict: false }))
  const query = readQuery(filter, sort)
  const list = useList<Run>({
    kind: 'run',
    filter: { ...query },
    load: async (offset, limit, signal) => {
      const page = bodyOf(await api.GET('/api/v1/runs', { params: { query: { ...query, offset, limit } as never }, signal }))
      return { items: page.items ?? [], total: page.total, counts: page.counts }
    },
  })
  const go = (next: FilterState, by = sort) => void navigate({ to: '.', search: { ...filterToSearch(next), sort: by } as never, replace: next.text !== filter.text })
  const chosen = valuesOf(filter, 'state')
  const fields = useMemo((): FilterField[] => {
    const values = Object.keys(states.run).map((value) => ({ value, count: list.counts[value] }))
    // Accounts are known by id here; a page that leads to this one gives it.
    return [{ key: 'state', label: 'State', values }, ...(query.account === undefined ? [] : [{ key: 'account', label: 'Account' }])]
  }, [list.counts, query.account])
  const open = (list.counts['running'] ?? 0) + (list.counts['queued'] ?? 0) + (list.counts['waiting'] ?? 0)
  const stuck = list.counts['needs_attention'] ?? 0
  return (
    <>
      <PageHead title="Runs">{list.total !== undefined && summary(open, stuck)}</PageHead>
      <ListBar>
        <FilterBar label="Filter runs by account" fields={fields} value={filter} onChange={go} />
        <Counts
          label="Runs by state"
          object="run"
          counts={list.counts}
          chosen={chosen as never[]}
          onChoose={(words) => go({ ...filter, tokens: [...filter.tokens.filter(({ key }) => key !== 'state'), ...words.map((value) => ({ key: 'state', value }))] })}
        />
      </ListBar>
      <ListGrid
        list={list}
        label="Runs"
        columns={columns}
        idOf={(run) => run.id}
        nameOf={(run) => `${run.accountName} ${shortId(run.id)}`}
        sort={sort ?? '-createdAt'}
        onSort={(by) => go(filter, by)}
        onOpen={(run) => void navigate({ to: `/runs/${run.id}` })}
        empty={emptyOf(filter, who.user.role, () => go(noFilter))}
      />
    </>
  )
}

/** What the list says as a whole: what is stuck comes first. */
export function summary(open: number, stuck: number): string {
  const going = open === 0 ? 'Nothing runs now.' : `${count(open)} ${open === 1 ? 'run is' : 'runs are'} under way.`
  return stuck === 0 ? going : `${count(stuck)} ${stuck === 1 ? 'run needs' : 'runs need'} attention. ${going}`
}

function emptyOf(filter: FilterState, role: Schemas['User']['role'], onClear: () => void): Empty {
  if (filterText(filter) !== '') return { why: 'no-match', filter: filterText(filter), onClear }
  if (role === 'user') return { why: 'no-grants', what: 'any account that has runs', ask: 'Ask whoever manages the account, or an administrator, for a grant on it.' }
  return { why: 'first', title: 'No run yet', text: 'A run changes one credential step by step and proves each step. It begins when an account is reset.', action: <Link to="/resources" className={classes.link}>Choose an account to reset</Link> }
}
