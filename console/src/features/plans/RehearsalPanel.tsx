import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import { sentence } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { ProblemView } from '../../ui/ProblemView'
import { Steps } from '../../ui/Steps'
import { Time } from '../../ui/Time'
import { Loaded } from '../resources/Waiting'
import { stepsOf, useRehearsal } from './plan'
import classes from './plans.module.css'
import { Readiness } from './Readiness'

/** The whole way of a run, tried without changing anything: what came of it the last time, and trying it now. */
export function RehearsalPanel({ account }: { account: string }) {
  const api = useApi()
  const client = useQueryClient()
  const rehearsal = useRehearsal(account)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const rehearse = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      const { data } = await api.POST('/api/v1/accounts/{account}/rehearsal', { params: { path: { account } } })
      client.setQueryData([...keys.one('account', account), 'rehearsal'], bodyOf({ data }))
    } catch (error) {
      setProblem(asProblem(error))
      void client.invalidateQueries({ queryKey: [...keys.one('account', account), 'rehearsal'] })
    } finally {
      setBusy(false)
    }
  }
  return (
    <section className={classes.panel} aria-labelledby="rehearsal">
      <Loaded of={rehearsal} lines={4}>
        {(last) => (
          <>
            <div className={classes.bar}>
              <h2 id="rehearsal">Rehearsal</h2>
              <Readiness state={last.state} at={last.at} />
              <Offer may={last.can?.['rehearse']} loading={busy} onClick={() => void rehearse()}>Rehearse</Offer>
            </div>
            {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
            <p className={classes.quiet} role="status">
              {last.state === 'running' ? 'The whole way of a run is being tried; nothing is changed.' : last.reason ? `${sentence(last.reason)} ` : last.at === undefined ? 'It was never rehearsed. A rehearsal tries the whole way of a run and changes nothing. ' : ''}
              {last.state !== 'running' && last.cure && <><b>What to do now:</b> {sentence(last.cure)} </>}
              {last.nextAt && <>It is tried again <Time at={last.nextAt} />.</>}
            </p>
            {(last.steps ?? []).length > 0 && <Steps label="Steps of the rehearsal" steps={stepsOf(last)} />}
          </>
        )}
      </Loaded>
    </section>
  )
}
