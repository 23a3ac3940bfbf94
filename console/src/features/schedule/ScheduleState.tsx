import type { Schemas } from '../../app/api'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { scheduleState } from './schedule'

/** Whether an account is overdue, due or planned, and when it is changed. */
export function ScheduleState({ account, now = Date.now() }: { account: Pick<Schemas['Account'], 'nextAt' | 'overdue'>; now?: number }) {
  const state = scheduleState(account, now)
  if (state === undefined) return <span>not planned</span>
  return <State object="schedule" state={state}>{account.nextAt !== undefined && <Time at={account.nextAt} />}</State>
}
