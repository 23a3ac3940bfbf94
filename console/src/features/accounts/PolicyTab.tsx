import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { Fact, Facts } from '../../ui/Fact'
import { sentence } from '../../ui/format'
import { Time } from '../../ui/Time'
import classes from '../policies/policies.module.css'
import { inZone, policyPath, turnsText, usePolicies, windowsText } from '../policies/policy'
import { useRead } from '../resources/named'
import { PlaceLink } from '../resources/PlaceLink'
import { Loaded } from '../resources/Waiting'
import { ScheduleState } from '../schedule/ScheduleState'
import type { Account } from './account'

/** Which policy an account follows and why, which others were for it, and what follows from it. */
export function PolicyTab({ account }: { account: Account }) {
  const api = useApi()
  const may = useMay('policy.list')
  const policies = usePolicies(may.allowed)
  // Beneath the account: what the event of a new plan says is read again with it.
  const explained = useRead([...keys.one('account', account.id), 'policy'], async (signal) =>
    bodyOf(await api.GET('/api/v1/accounts/{account}/policy', { params: { path: { account: account.id } }, signal })))
  return (
    <Loaded of={explained} lines={6}>
      {({ applying, nextAt, nextWhy, overdue, checkAt }) => {
        const reasons = applying ?? []
        const policy = policies.data?.find(({ id }) => id === reasons[0]?.policyId)
        const zone = policy?.rotation.zone
        return (
          <div className={classes.panels}>
            <section className={classes.panel} aria-labelledby="account-policies">
              <h2 id="account-policies">Policies that are for it</h2>
              <p className={classes.quiet}>The first one applies; the others are less specific.</p>
              <ol className={classes.reasons}>
                {reasons.map((reason) => (
                  <li key={`${reason.policyId} ${reason.pattern ?? ''}`}>
                    <b>{may.allowed ? <PlaceLink place={{ to: policyPath(reason.policy) }}><bdi>{reason.policy}</bdi></PlaceLink> : <bdi>{reason.policy}</bdi>}</b>
                    <span className={classes.why}><bdi>{sentence(reason.because)}</bdi></span>
                  </li>
                ))}
              </ol>
            </section>
            <section className={classes.panel} aria-labelledby="account-next">
              <h2 id="account-next">What follows</h2>
              <Facts>
                <Fact label="Next change"><ScheduleState account={{ nextAt, overdue }} /></Fact>
                {nextAt && <Fact label="At"><Time at={nextAt} as="exact" /></Fact>}
                {nextAt && policy && <Fact label="In the policy’s zone">{inZone(nextAt, zone)} ({zone || 'UTC'})</Fact>}
                <Fact label={nextAt ? 'Why then' : 'Why not'}>{nextWhy || 'the policy gives no time'}</Fact>
                {policy && <Fact label="Rule">{turnsText(policy.rotation)}</Fact>}
                {policy && <Fact label="Windows">{windowsText(policy.rotation)}</Fact>}
                <Fact label="Value made">{account.changedAt && <Time at={account.changedAt} />}</Fact>
                <Fact label="Next login check">{checkAt ? <Time at={checkAt} /> : 'none'}</Fact>
              </Facts>
            </section>
          </div>
        )
      }}
    </Loaded>
  )
}
