import { Button, Stack } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { Problem } from '../api/problem'
import type { StateOf } from '../api/states'
import { Confirm } from '../ui/Confirm'
import { CopyText } from '../ui/CopyText'
import { Counts } from '../ui/Counts'
import { Drawer } from '../ui/Drawer'
import { EmptyState } from '../ui/EmptyState'
import { Fact, Facts } from '../ui/Fact'
import { type FilterState, filterText, noFilter } from '../ui/filter'
import { FilterBar } from '../ui/FilterBar'
import { Grid } from '../ui/Grid'
import { iconProps } from '../ui/icons'
import { PageHead } from '../ui/PageHead'
import { ProblemView } from '../ui/ProblemView'
import { useToast } from '../ui/say'
import { SessionCover } from '../ui/SessionCover'
import { State } from '../ui/State'
import { Steps } from '../ui/Steps'
import { Tabs } from '../ui/Tabs'
import { Time } from '../ui/Time'
import { Value } from '../ui/Value'
import classes from './Gallery.module.css'
import { checkSteps, columns, fields, runSteps, sampleRow } from './samples'

const tabs = [
  { key: 'versions', label: 'Versions' },
  { key: 'mappings', label: 'Mappings', count: 37 },
  { key: 'consumers', label: 'Consumers', count: 22 },
  { key: 'access', label: 'Access' },
  { key: 'activity', label: 'Activity' },
]

const failure = new Problem({
  type: 'unreachable',
  title: 'prod-us does not answer',
  status: 502,
  detail: 'dial tcp 10.2.0.4:443: i/o timeout',
  cause: 'No answer since 14:03:02, three tries.',
  cure: 'Bring the API server back, then retry.',
  unchanged: 'Nothing was written; 10 keys still hold v12.',
})

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function List({ total }: { total: number }) {
  const [filter, setFilter] = useState<FilterState>({ tokens: [{ key: 'cluster', value: 'prod-eu' }], text: '' })
  const [chosenStates, setChosenStates] = useState<readonly StateOf<'key'>[]>(['drift'])
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set(['id-1']))
  const [sort, setSort] = useState('name')
  const [open, setOpen] = useState<string>()
  return (
    <Stack gap="sm">
      <FilterBar label="Filter Secrets" fields={fields} value={filter} onChange={setFilter} />
      <Counts label="Secrets by state" object="key" counts={{ in_sync: 99_871, drift: 88, conflict: 3, hands_off: 38 }} chosen={chosenStates} onChoose={setChosenStates} />
      <Grid
        label="Secrets"
        columns={columns}
        total={total}
        rowAt={(i) => (i % 40 === 33 ? undefined : sampleRow(i))}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        sort={sort}
        onSort={setSort}
        selection={selection}
        onSelection={setSelection}
        open={open}
        onOpen={(row) => setOpen(row.id)}
        empty={{ why: 'no-match', filter: filterText(filter), onClear: () => setFilter(noFilter) }}
      />
      <Drawer
        opened={open !== undefined}
        onClose={() => setOpen(undefined)}
        title="shop/stripe"
        actions={<><Button>Sync</Button><Button variant="default">Open the page</Button></>}
      >
        <SampleFacts />
      </Drawer>
    </Stack>
  )
}

function SampleFacts() {
  return (
    <Facts>
      <Fact label="State"><State object="key" state="drift">cluster side changed</State></Fact>
      <Fact label="Cluster">prod-eu</Fact>
      <Fact label="Last changed"><Time at={Date.now() - 240_000} /> by kubectl-edit</Fact>
      <Fact label="Owner" />
      <Fact label="Value"><Value name="shop/stripe" reveal={async () => 'not-a-real-value'} /></Fact>
    </Facts>
  )
}

function Asks() {
  const [level, setLevel] = useState<1 | 2 | 3>()
  const [ended, setEnded] = useState(false)
  const [idleUntil, setIdleUntil] = useState<number>()
  const say = useToast()
  const close = () => setLevel(undefined)
  const consequences = ['311 mappings stay; their keys are no longer written.', '4 Secrets keep their values.', 'Nothing is deleted in the cluster.']
  const confirm = async () => say('Removed prod-us')
  return (
    <div className={classes.buttons}>
      {([1, 2, 3] as const).map((n) => <Button key={n} variant="default" onClick={() => setLevel(n)}>Confirm {n}</Button>)}
      <Button variant="default" onClick={() => say('Saved')}>Toast</Button>
      <Button variant="default" onClick={() => setIdleUntil(Date.now() + 100_000)}>Idle</Button>
      <Button variant="default" onClick={() => setEnded(true)}>Session cover</Button>
      {level !== undefined && (
        level === 3
          ? <Confirm opened level={3} type="prod-us" verb="Remove" object="prod-us" consequences={consequences} onConfirm={confirm} onClose={close} />
          : <Confirm opened level={level} verb="Remove" object="prod-us" consequences={consequences} onConfirm={confirm} onClose={close} />
      )}
      <SessionCover user="anna" ended={ended} idleUntil={idleUntil} onStay={async () => setIdleUntil(undefined)} onEnded={() => setEnded(true)} onBack={() => setEnded(false)} onOther={() => setEnded(false)}>{null}</SessionCover>
    </div>
  )
}

/** Every shared part with the shapes of data that are hardest to draw. */
export function Gallery({ view, tab }: { view: string | undefined; tab: string | undefined }) {
  const head = (
    <PageHead
      title="app_rw"
      above={[{ label: 'Resources', to: '/resources' }, { label: 'orders-db', to: '/resources/orders-db' }]}
      state={<><State object="account" state="verified">4 min ago</State><span>rotates in 24 days</span></>}
      actions={<><Button>Reset password</Button><Button variant="default" leftSection={<IconRefresh {...iconProps} />}>Verify</Button></>}
    >
      v12 logs in and stands in 36 of 37 keys in 3 clusters. One key still holds v11, which stopped working on 17 Nov.
    </PageHead>
  )
  if (view === 'list') return <>{head}<List total={100_000} /></>
  return (
    <>
      {head}
      <Tabs label="app_rw" tabs={tabs} current={tab} />
      <div className={classes.columns}>
        <Section title="Steps of a run"><Steps label="Run" steps={runSteps} /></Section>
        <Section title="Three checks"><Steps label="Checks" steps={checkSteps} /></Section>
        <Section title="Facts"><SampleFacts /></Section>
        <Section title="Commands">
          <Stack gap="sm">
            <CopyText command label="the command" text="kubectl apply -f keyturn-config.yaml" />
            <CopyText command label="the token command" text="kubectl -n keyturn get secrets/keyturn-token -o jsonpath='{.data.token}'" />
          </Stack>
        </Section>
        <Section title="Problem"><ProblemView problem={failure} onRetry={() => {}} onDismiss={() => {}} /></Section>
        <Section title="Questions"><Asks /></Section>
        <Section title="First visit"><EmptyState empty={{ why: 'first', title: 'No cluster yet', text: 'A cluster is where your Secrets live. Connecting one takes four steps.', action: <Button>Connect a cluster</Button> }} /></Section>
        <Section title="No match"><EmptyState empty={{ why: 'no-match', filter: 'state:conflict ns:pay*', onClear: () => {} }} /></Section>
        <Section title="No grants"><EmptyState empty={{ why: 'no-grants', what: 'Secrets', ask: 'Ask carla or ben, who administer this server.' }} /></Section>
      </div>
      <Section title="A small list"><List total={7} /></Section>
    </>
  )
}
