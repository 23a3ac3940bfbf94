import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { CopyText } from '../../ui/CopyText'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { Offer } from '../../ui/Offer'
import { logState, type Verification } from './audit'
import classes from './Audit.module.css'

const found = [...keys.one('audit', 'log'), 'verification'] as const

interface LogStateProps {
  can: Schemas['PageAuditEvent']['can']
  /** After a check, which is an event itself. */
  onChecked: () => void
}

/** The top of the log: whether it is intact as far as it was checked here, with Verify and Export. */
export function LogState({ can, onChecked }: LogStateProps) {
  const api = useApi()
  const client = useQueryClient()
  // What was found stays while the session does; nothing reads it by itself.
  const { data } = useQuery<{ at: number; found: Verification }>({ queryKey: found, enabled: false, queryFn: () => Promise.reject(new Error('is set, not read')) })
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const verify = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      client.setQueryData(found, { at: Date.now(), found: bodyOf(await api.POST('/api/v1/audit/verify')) })
      onChecked()
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      setBusy(false)
    }
  }
  const mayExport = can?.['export']
  const download = () => location.assign('/api/v1/audit/export')
  return (
    <>
      <PageHead
        title="Audit"
        state={<State object="audit_log" state={logState(data?.found)} />}
        actions={
          <>
            <Offer variant="filled" may={can?.['verify']} loading={busy} onClick={() => void verify()}>Verify log</Offer>
            {mayExport?.allowed
              ? <Button component="a" href="/api/v1/audit/export" download="keyturn-audit.ndjson" variant="default">Export log</Button>
              : <Offer variant="default" may={mayExport} onClick={download}>Export log</Offer>}
          </>
        }
      >
        <p role="status">{data === undefined ? 'Not checked since you signed in. Verify compares every entry with the signed log.' : <Sentence found={data.found} at={data.at} />}</p>
      </PageHead>
      {problem && <div className={classes.problem}><ProblemView problem={problem} onDismiss={() => setProblem(undefined)} /></div>}
      {data !== undefined && data.found.state !== 'intact' && (
        <div className={classes.problem}><ProblemView problem={new Problem({ type: `audit-${data.found.state}`, title: data.found.reason ?? 'The log could not be checked', status: 409, cure: data.found.cure })} /></div>
      )}
      {data?.found.head && (
        <details className={classes.head}>
          <summary>Signed head and key</summary>
          <div>
            <Facts>
              <Fact label="Head"><CopyText text={data.found.head} label="the signed head" /></Fact>
              {data.found.key && <Fact label="Key"><CopyText text={data.found.key} label="the log's public key" /></Fact>}
            </Facts>
          </div>
        </details>
      )}
    </>
  )
}

function Sentence({ found: { state, entries, signedAt, unsequenced }, at }: { found: Verification; at: number }) {
  const waiting = unsequenced > 0 ? ` ${count(unsequenced)} newer ${unsequenced === 1 ? 'event is' : 'events are'} not in the signed log yet.` : ''
  return (
    <>
      {state === 'intact' ? `All ${count(entries)} entries match the signed log` : `${count(entries)} entries were checked`}
      {signedAt && <>, head signed <Time at={signedAt} as="exact" /></>}. Checked <Time at={at} as="exact" />.{waiting}
    </>
  )
}
