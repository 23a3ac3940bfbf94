import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { CopyText } from '../../ui/CopyText'
import { Fact, Facts } from '../../ui/Fact'
import { count, duration } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { Time } from '../../ui/Time'
import { crumbs, useAccount } from '../accounts/account'
import { strategyLabel } from '../accounts/strategy'
import { Loaded } from '../resources/Waiting'
import { blastText, type Plan, usePlan, waveClusters, weighed } from './plan'
import { PlanKeys } from './PlanKeys'
import { PlanWorkloads } from './PlanWorkloads'
import classes from './plans.module.css'
import { RehearsalPanel } from './RehearsalPanel'

/** What a reset of an account would do now, to whom, and whether it would work. It changes nothing. */
export function PlanPage() {
  const { resource = '', account: name = '' } = useParams({ strict: false }) as { resource?: string; account?: string }
  const account = useAccount(resource, name)
  return (
    <>
      {account.data === undefined && <PageHead title={`Plan for ${name}`} above={crumbs(resource, name)} />}
      <Loaded of={account}>{(data) => <Planned id={data.id} name={data.name} resource={data.resourceName} />}</Loaded>
    </>
  )
}

function Planned({ id, name, resource }: { id: string; name: string; resource: string }) {
  const plan = usePlan(id)
  return (
    <>
      {plan.data === undefined && <PageHead title={`Plan for ${name}`} above={crumbs(resource, name)}>The clusters and the system are being looked at; nothing is changed.</PageHead>}
      <Loaded of={plan} lines={8}>{(data) => <Shown plan={data} onAgain={plan.onRetry} />}</Loaded>
    </>
  )
}

/** What is agreed to when a run is begun from its plan, one line each. */
export function agreedLines(plan: Plan): string[] {
  const { blast } = plan
  return [
    `${plan.accountName} gets a new value on ${plan.resourceName}, and ${count(blast.keys - blast.blocked)} of ${count(blast.keys)} mapped keys are written.`,
    blast.restarts === 0 ? 'No workload is restarted.' : `${count(blast.restarts)} ${blast.restarts === 1 ? 'workload is' : 'workloads are'} restarted: ${count(blast.pods)} ${blast.pods === 1 ? 'pod is' : 'pods are'} replaced.`,
    'It is begun only if the world is still as this plan says; otherwise it is refused and nothing is changed.',
  ]
}

function Shown({ plan, onAgain }: { plan: Plan; onAgain: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asking, setAsking] = useState(false)
  // Read again behind the dialog, a plan is another: what was read is what is agreed to.
  const [agreed, setAgreed] = useState(plan)
  const warnings = weighed(plan)
  const waves = waveClusters(plan)
  const start = async () => {
    try {
      const run = bodyOf(await api.POST('/api/v1/accounts/{account}/reset', { params: { path: { account: agreed.accountId } }, body: { plan: agreed.hash } }))
      await navigate({ to: '/runs/$run', params: { run: run.id } } as never)
    } finally {
      // Also after a lost answer, and when the world is another by now: what is true is read, never assumed.
      void client.invalidateQueries({ queryKey: keys.one('account', plan.accountId) })
      void client.invalidateQueries({ queryKey: ['run'] })
    }
  }
  return (
    <>
      <PageHead
        title={`Plan for ${plan.accountName}`}
        above={crumbs(plan.resourceName, plan.accountName)}
        state={<span>changes nothing yet</span>}
        actions={
          <>
            <Offer variant="filled" may={plan.can?.['reset']} onClick={() => { setAgreed(plan); setAsking(true) }}>Start…</Offer>
            <Offer may={{ allowed: true }} onClick={onAgain}>Look again</Offer>
          </>
        }
      >
        {blastText(plan)}
      </PageHead>
      {warnings.length > 0 && (
        <ul className={classes.warnings} aria-label="To be weighed">
          {warnings.map(({ text, cure, blocks }) => <li key={text} data-blocks={blocks || undefined}>{blocks && <b>Would stop the run: </b>}{text}{cure && <> <b>What to do now:</b> {cure}</>}</li>)}
        </ul>
      )}
      {(plan.unseen ?? []).length > 0 && (
        <div className={classes.unseen}>
          <p><b>Not seen,</b> so that the plan is not complete:</p>
          <ul>{plan.unseen?.map((text) => <li key={text}>{text}</li>)}</ul>
        </div>
      )}
      <div className={classes.columns}>
        <div className={classes.stack}>
          {waves.length > 1 && (
            <section className={classes.panel} aria-labelledby="plan-waves">
              <h2 id="plan-waves">Waves</h2>
              <ol className={classes.waves}>{waves.map((wave) => <li key={wave.number}><bdi>{wave.clusters.join(', ')}</bdi> <span className={classes.quiet}>({count(wave.keys)} {wave.keys === 1 ? 'key' : 'keys'})</span></li>)}</ol>
            </section>
          )}
          <section className={classes.panel} aria-labelledby="plan-keys">
            <h2 id="plan-keys">Secret keys</h2>
            <PlanKeys keys={plan.keys ?? []} />
          </section>
          <section className={classes.panel} aria-labelledby="plan-workloads">
            <h2 id="plan-workloads">Workloads</h2>
            <PlanWorkloads workloads={plan.workloads ?? []} />
          </section>
        </div>
        <div className={classes.stack}>
          <RehearsalPanel account={plan.accountId} />
          <section className={classes.panel} aria-labelledby="plan-facts">
            <h2 id="plan-facts">The run</h2>
            <Facts>
              <Fact label="Looked at"><Time at={plan.at} as="exact" /></Fact>
              <Fact label="Strategy">{strategyLabel(plan.strategy)}</Fact>
              <Fact label="Policy">{plan.policy && <bdi>{plan.policy}</bdi>}</Fact>
              <Fact label="Takes">about {duration(plan.estimate.seconds * 1000)}</Fact>
              <Fact label="Estimated from">{plan.estimate.basis}</Fact>
              <Fact label="Hash"><CopyText text={plan.hash} label="the plan's hash" /></Fact>
            </Facts>
          </section>
        </div>
      </div>
      <Confirm opened={asking} onClose={() => setAsking(false)} level={2} verb="Reset" object={agreed.accountName} consequences={agreedLines(agreed)} onConfirm={start} />
    </>
  )
}
