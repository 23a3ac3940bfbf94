import { useMay } from '../../app/api'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { policyPath } from '../policies/policy'
import { PlaceLink } from '../resources/PlaceLink'
import { scheduleState } from '../schedule/schedule'
import type { Account } from './account'

/** Which policy an account follows, and when it is changed and looked after next: one line of its head. */
export function NextChange({ account }: { account: Account }) {
  const may = useMay('policy.list')
  const { policy, nextAt, nextWhy, checkAt } = account
  if (!policy) return null
  const state = scheduleState(account, Date.now())
  return (
    <p>
      Policy {may.allowed ? <PlaceLink place={{ to: policyPath(policy) }}><bdi>{policy}</bdi></PlaceLink> : <bdi>{policy}</bdi>}:{' '}
      {state === 'overdue' && <><State object="schedule" state="overdue" />, </>}
      {nextAt ? <>changed next <Time at={nextAt} /></> : 'not changed by itself'}{nextWhy && ` (${nextWhy})`}
      {checkAt && <>; a login is tried <Time at={checkAt} /></>}.
    </p>
  )
}
