import { count } from '../../ui/format'
import { State } from '../../ui/State'
import { type Secret, troubleOf } from './secret'

/** The worst that is wrong with a Secret's mapped keys, beside its own state; nothing when all is well. */
export function Trouble({ of }: { of: Secret }) {
  const worst = troubleOf(of)
  return worst && <State object="key" state={worst[0]}>{count(worst[1])} of {count(of.mappedKeys)} mapped keys</State>
}
