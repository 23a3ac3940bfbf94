import { useNavigate } from '@tanstack/react-router'
import { useMay } from '../../app/api'
import type { Column } from '../../ui/columns'
import { EmptyState } from '../../ui/EmptyState'
import { count } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { GridLink } from '../../ui/GridLink'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { bitsText, type Policy, policyPath, sizeText, turnsText, usePolicies } from './policy'
import classes from './policies.module.css'

const columns: readonly Column<Policy>[] = [
  {
    key: 'name', title: 'Policy', width: 160, grow: 1,
    render: ({ name }) => <GridLink place={{ to: '/policies/$policy', params: { policy: name } }} className={`${classes.link} ${classes.cell}`}><bdi>{name}</bdi></GridLink>,
  },
  { key: 'turns', title: 'Values are changed', width: 220, grow: 2, priority: 1, render: ({ rotation }) => <span className={classes.cell}>{turnsText(rotation)}</span> },
  { key: 'value', title: 'A value is', width: 230, grow: 1, priority: 3, render: ({ password, entropyBits }) => <span className={classes.cell}>{sizeText(password)}, {bitsText(entropyBits)}</span> },
  { key: 'accounts', title: 'Accounts', width: 110, align: 'end', render: ({ accounts }) => `${count(accounts)} ${accounts === 1 ? 'account' : 'accounts'}` },
  { key: 'overdue', title: 'Overdue', width: 130, priority: 2, render: ({ overdue = 0 }) => (overdue > 0 ? <State object="schedule" state="overdue">{count(overdue)}</State> : <span className={classes.muted}>none overdue</span>) },
  { key: 'next', title: 'Next due', width: 160, priority: 1, render: ({ nextAt }) => (nextAt ? <Time at={nextAt} /> : <span className={classes.muted}>none due</span>) },
]

/** What the list says as a whole. */
export function summary(all: readonly Policy[]): string {
  const overdue = all.reduce((sum, policy) => sum + (policy.overdue ?? 0), 0)
  const many = `${count(all.length)} ${all.length === 1 ? 'policy' : 'policies'}. Every account follows exactly one.`
  return overdue === 0 ? many : `${many} ${count(overdue)} ${overdue === 1 ? 'account is' : 'accounts are'} overdue.`
}

/** What values look like and when they are changed. */
export function PoliciesPage() {
  const navigate = useNavigate()
  const list = useMay('policy.list')
  const create = useMay('policy.create')
  const policies = usePolicies(list.allowed)
  const all = policies.data
  return (
    <>
      <PageHead title="Policies" actions={<Offer may={create} variant="filled" to={{ to: '/policies/new' }}>New policy</Offer>}>
        {all === undefined ? '\u00a0' : summary(all)}
      </PageHead>
      {list.allowed ? (
        <Grid
          label="Policies"
          columns={columns}
          total={all?.length}
          rowAt={(index) => all?.[index]}
          idOf={({ id }) => id}
          nameOf={({ name }) => name}
          onOpen={({ name }) => void navigate({ to: policyPath(name) as never })}
          problem={policies.problem}
          onRetry={policies.onRetry}
          empty={{ why: 'first', title: 'No policy yet', text: 'A policy says what values look like and when they are changed.' }}
        />
      ) : <EmptyState empty={{ why: 'no-grants', what: 'the list of policies', ask: 'The page of an account says which policy it follows and why. Ask an administrator for a role that reads policies.' }} />}
    </>
  )
}
