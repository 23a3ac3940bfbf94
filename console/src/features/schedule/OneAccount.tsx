import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { Drawer } from '../../ui/Drawer'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { Time } from '../../ui/Time'
import { inZone, type Policy, policyPath, windowsText } from '../policies/policy'
import { accountPlace, PlaceLink } from '../resources/PlaceLink'
import type { Scheduled } from './schedule'
import classes from './schedule.module.css'
import { ScheduleState } from './ScheduleState'

/** What follows when an account is turned now, one line each. */
export function turnLines({ name, resourceName, policy, mappings = {} }: Pick<Scheduled, 'name' | 'resourceName' | 'policy' | 'mappings'>): string[] {
  const keysOf = Object.values(mappings).reduce((sum, n) => sum + n, 0)
  const where = keysOf === 0 ? 'no Secret key is mapped to it' : `it is written to ${keysOf === 1 ? 'its 1 mapped key' : `its ${count(keysOf)} mapped keys`}, and what reads them is restarted or asks, as each mapping says`
  return [
    `A new value of ${name} is made as policy ${policy ?? 'default'} says, and set on ${resourceName}.`,
    `Each step is proved before the next: ${where}.`,
    'Windows and blackouts hold for what begins by itself; this begins at once.',
  ]
}

/** One account of the schedule, beside the list: when it is changed, which rule says so, and turning it now. */
export function OneAccount({ account, policy, onClose }: { account: Scheduled; policy: Policy | undefined; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asked, setAsked] = useState(false)
  const turn = async () => {
    try {
      const run = bodyOf(await api.POST('/api/v1/accounts/{account}/reset', { params: { path: { account: account.id } }, body: {} }))
      await navigate({ to: '/runs/$run', params: { run: run.id } } as never)
    } finally {
      // Also after a lost answer: what is true is read, never assumed.
      void client.invalidateQueries({ queryKey: keys.one('account', account.id) })
      void client.invalidateQueries({ queryKey: keys.lists('account') })
      void client.invalidateQueries({ queryKey: ['run'] })
    }
  }
  const zone = policy?.rotation.zone
  return (
    <>
      <Drawer
        opened={!asked}
        onClose={onClose}
        title={<><bdi>{account.name}</bdi> on <bdi>{account.resourceName}</bdi></>}
        actions={
          <div className={classes.actions}>
            <Offer variant="filled" may={account.can?.['reset']} onClick={() => setAsked(true)}>Turn now…</Offer>
            <Offer may={{ allowed: true }} to={accountPlace({ ...account, accountName: account.name })}>Open the account</Offer>
          </div>
        }
      >
        <Facts>
          <Fact label="Next change"><ScheduleState account={account} /></Fact>
          {account.nextAt && <Fact label="At"><Time at={account.nextAt} as="exact" /></Fact>}
          {account.nextAt && policy && <Fact label="In the policy’s zone">{inZone(account.nextAt, zone)} ({zone || 'UTC'})</Fact>}
          <Fact label="Why then">{account.nextWhy}</Fact>
          <Fact label="Policy">{account.policy && (policy ? <PlaceLink place={{ to: policyPath(account.policy) }}><bdi>{account.policy}</bdi></PlaceLink> : <bdi>{account.policy}</bdi>)}</Fact>
          <Fact label="Because">{account.policyBecause}</Fact>
          {policy && <Fact label="Windows">{windowsText(policy.rotation)}</Fact>}
          <Fact label="Value made">{account.changedAt && <Time at={account.changedAt} />}</Fact>
          <Fact label="Next login check">{account.checkAt ? <Time at={account.checkAt} /> : 'none'}</Fact>
        </Facts>
      </Drawer>
      <Confirm opened={asked} onClose={() => setAsked(false)} level={1} verb="Turn" object={account.name} consequences={turnLines(account)} onConfirm={turn} />
    </>
  )
}
