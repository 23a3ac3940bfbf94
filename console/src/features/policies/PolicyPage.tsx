import { useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { Fact, Facts } from '../../ui/Fact'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { usePreferences } from '../../ui/preferences'
import { ProblemView } from '../../ui/ProblemView'
import { absolute } from '../../ui/format'
import { Time } from '../../ui/Time'
import { textOf, useAddress } from '../resources/address'
import { Loaded, Waiting } from '../resources/Waiting'
import { Assignments } from './Assignments'
import { Followers } from './Followers'
import { NextTimes } from './NextTimes'
import { bitsText, followersText, heartbeatText, inWords, type Policy, policyCrumbs, policyPath, rehearsalText, restartsText, turnsText, usePolicy, valueText, wavesText, windowsText } from './policy'
import classes from './policies.module.css'
import { usePreviewOf } from './Preview'

// Loaded when it is first asked for.
const DeletePolicy = lazy(() => import('./DeletePolicy').then((m) => ({ default: m.DeletePolicy })))

/** One policy: what it says, whom it governs and why. */
export function PolicyPage() {
  const { policy: name = '' } = useParams({ strict: false }) as { policy?: string }
  const policy = usePolicy(name)
  return (
    <>
      {policy.data === undefined && <PageHead title={name} above={policyCrumbs} />}
      <Loaded of={policy} lines={8}>{(data) => <Shown policy={data} />}</Loaded>
    </>
  )
}

function Shown({ policy }: { policy: Policy }) {
  const { search, change } = useAddress()
  const can = policy.can ?? {}
  return (
    <>
      <PageHead
        title={policy.name}
        above={policyCrumbs}
        state={policy.builtIn ? <span>for every account that no other policy is for</span> : undefined}
        actions={
          <>
            <Offer may={can['update']} variant="filled" to={{ to: `${policyPath(policy.name)}/edit` }}>Edit</Offer>
            <Offer may={can['delete']} onClick={() => change({ dialog: 'delete' }, { push: true })}>Delete…</Offer>
          </>
        }
      >
        <p>{followersText(policy)} {inWords(policy)}</p>
        {policy.description && <p><bdi>{policy.description}</bdi></p>}
      </PageHead>
      <div className={classes.panels}>
        <section className={classes.panel} aria-labelledby="policy-rules">
          <h2 id="policy-rules">What it says</h2>
          <Rules policy={policy} />
        </section>
        <section className={classes.panel} aria-labelledby="policy-next">
          <h2 id="policy-next">When that is</h2>
          <Next policy={policy} />
        </section>
        <section className={`${classes.panel} ${classes.whole}`} aria-labelledby="policy-for">
          <Assignments policy={policy} />
        </section>
      </div>
      <section className={classes.under} aria-labelledby="policy-accounts">
        <h2 id="policy-accounts">Accounts that follow it</h2>
        <Followers policy={policy} />
      </section>
      <Suspense>{textOf(search['dialog']) === 'delete' && <DeletePolicy policy={policy} onClose={() => change({ dialog: '' })} />}</Suspense>
    </>
  )
}

function Rules({ policy }: { policy: Policy }) {
  const { preferences: { zone } } = usePreferences()
  const { rotation: r, password: p } = policy
  const blackouts = r.blackouts ?? []
  const when = (at: string) => absolute(Date.parse(at), zone)
  return (
    <Facts>
      <Fact label="Changed">{turnsText(r)}</Fact>
      <Fact label="Windows">{windowsText(r)}</Fact>
      <Fact label="Blackouts">{blackouts.length === 0 ? 'none' : blackouts.map(({ from, to, why }) => <div key={`${from} ${to}`}>{when(from)} to {when(to)}{why && <>: <bdi>{why}</bdi></>}</div>)}</Fact>
      <Fact label="Spread">{r.jitter ? `over ${r.jitter}` : 'none'}</Fact>
      <Fact label="Login check">{heartbeatText(r)}</Fact>
      <Fact label="Repair">{(r.reconcile ?? []).length > 0 ? 'by the reconcile account, when a login is refused' : 'none'}</Fact>
      <Fact label="Rehearsed">{rehearsalText(r)}</Fact>
      <Fact label="Clusters">{wavesText(r) ?? 'all at once'}</Fact>
      <Fact label="Restarts">{restartsText(r) ?? 'all at once'}</Fact>
      <Fact label="A stuck run">{r.onStuck === 'rollback' ? 'is rolled back, if that locks nobody out' : 'waits for somebody'}</Fact>
      <Fact label="Immutable Secrets">{r.immutable === 'replace' ? 'are replaced by others of another name' : 'stop a run'}</Fact>
      <Fact label="A value">{valueText(p)}, {bitsText(policy.entropyBits)}{p.forbidName && '; never with the account’s name'}{(p.forbid ?? []).length > 0 && `; without ${(p.forbid ?? []).length === 1 ? 'one forbidden text' : `${(p.forbid ?? []).length} forbidden texts`}`}</Fact>
      <Fact label="History">{policy.history === 0 ? 'a new value may be any' : `a new value is none of the last ${policy.history}`}</Fact>
      {policy.createdAt && <Fact label="Made"><Time at={policy.createdAt} /></Fact>}
    </Facts>
  )
}

/** The next times, as the server works them out. */
function Next({ policy: { rotation, password } }: { policy: Policy }) {
  const { preview, problem, onRetry } = usePreviewOf(rotation, password)
  if (problem) return <ProblemView problem={problem} onRetry={onRetry} />
  return preview === undefined ? <Waiting lines={5} /> : <NextTimes next={preview.next ?? []} rotation={rotation} />
}
