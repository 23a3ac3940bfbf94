import type { Schemas } from '../../app/api'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { scheduleState } from './schedule'

/** The same in a narrow column: what is planned is only its time, and what is overdue or due only its word. */
export function ScheduleBrief({ account, now = Date.now() }: { account: Pick<Schemas['Account'], 'nextAt' | 'overdue'>; now?: number }) {
  const state = scheduleState(account, now)
  if (state === undefined) return <span>not planned</span>
  return state === 'planned' && account.nextAt !== undefined ? <Time at={account.nextAt} /> : <State object="schedule" state={state} />
}

/** Whether an account is overdue, due or planned, and when it is changed. */
export function ScheduleState({ account, now = Date.now() }: { account: Pick<Schemas['Account'], 'nextAt' | 'overdue'>; now?: number }) {
  const state = scheduleState(account, now)
  if (state === undefined) return <span>not planned</span>
  return <State object="schedule" state={state}>{account.nextAt !== undefined && <Time at={account.nextAt} />}</State>
}
