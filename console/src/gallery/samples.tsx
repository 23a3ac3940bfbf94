import type { ReactNode } from 'react'
import type { StateOf } from '../api/states'
import type { Column } from '../ui/columns'
import type { FilterField } from '../ui/filter'
import { State } from '../ui/State'
import type { Step } from '../ui/Steps'
import { Time } from '../ui/Time'

export interface SampleRow {
  id: string
  name: string
  cluster: string
  type: string
  keys: number
  state: StateOf<'key'>
  mapped: string
  changed: number
}

const now = Date.now()
const kinds: StateOf<'key'>[] = ['in_sync', 'in_sync', 'in_sync', 'drift', 'in_sync', 'conflict', 'hands_off', 'behind']
const names = ['shop/db-credentials', 'shop/stripe', 'billing/payment-gateway-production-credentials', 'vault/app']

/** Row i of any number. */
export function sampleRow(i: number): SampleRow {
  return {
    id: `id-${i}`,
    name: `${names[i % names.length]}-${i}`,
    cluster: ['prod-eu', 'prod-us', 'stage'][i % 3] ?? '',
    type: i % 5 === 2 ? 'kubernetes.io/tls' : 'Opaque',
    keys: (i * 7) % 12 + 1,
    state: kinds[i % kinds.length] ?? 'in_sync',
    mapped: i % 3 === 1 ? '—' : 'app_rw@orders-db',
    changed: now - i * 3_700_000,
  }
}

export const columns: Column<SampleRow>[] = [
  { key: 'name', title: 'Secret', width: 220, grow: 2, sortable: true, render: (row) => <bdi>{row.name}</bdi> },
  { key: 'state', title: 'State', width: 120, render: (row) => <State object="key" state={row.state} /> },
  { key: 'cluster', title: 'Cluster', width: 110, sortable: true, priority: 1, render: (row) => row.cluster },
  { key: 'type', title: 'Type', width: 150, priority: 4, render: (row) => row.type },
  { key: 'keys', title: 'Keys', width: 70, align: 'end', priority: 3, render: (row) => row.keys },
  { key: 'mapped', title: 'Mapped to', width: 170, grow: 1, priority: 2, render: (row) => row.mapped },
  { key: 'changed', title: 'Changed', width: 150, sortable: true, priority: 5, render: (row) => <Time at={row.changed} /> },
]

export const fields: FilterField[] = [
  { key: 'cluster', label: 'Cluster', values: [{ value: 'prod-eu', count: 4812 }, { value: 'prod-us', count: 5120 }] },
  { key: 'state', label: 'State', values: [{ value: 'drift', count: 88 }, { value: 'conflict', count: 3 }] },
  { key: 'ns', label: 'Namespace' },
]

const mono = (text: string): ReactNode => <code>{text}</code>

export const runSteps: Step[] = [
  { id: 'planned', title: 'planned', state: 'done', at: now - 400_000 },
  { id: 'minted', title: 'minted', state: 'done', at: now - 399_000, note: 'v13' },
  { id: 'applied', title: 'applied', state: 'done', at: now - 392_000 },
  { id: 'verified', title: 'verified', state: 'unverified', at: now - 391_000, note: 'as app_rw_b', waitsFor: 'The answer was lost; logging in again to find out.' },
  {
    id: 'published',
    title: 'published',
    state: 'running',
    at: now - 20_000,
    progress: { done: 27, total: 37 },
    waitsFor: 'Waits for prod-us: next try in 12 s.',
    earlier: [
      { at: now - 90_000, state: 'failed', detail: <>no answer from {mono('10.2.0.4:443')}: dial tcp: i/o timeout</> },
      { at: now - 60_000, state: 'failed', detail: <>no answer from {mono('10.2.0.4:443')}: dial tcp: i/o timeout</> },
    ],
  },
  { id: 'rolled', title: 'rolled out', state: 'to_do' },
  { id: 'retired', title: 'retired', state: 'to_do', note: 'v12' },
]

export const checkSteps: Step[] = [
  { id: 'host', title: '1 Host reachable', state: 'done', note: 'DNS 10.2.0.4, TCP 12 ms, TLS 1.3' },
  { id: 'api', title: '2 Kubernetes API', state: 'done', note: 'v1.36.3' },
  { id: 'token', title: '3 Token and rights', state: 'failed', detail: <>{mono('secrets patch')} in billing is missing. Download the difference and apply it.</> },
]
