import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, Problem } from '../../api/problem'
import { bodyOf, useApi, useMay } from '../../app/api'
import { CopyText } from '../../ui/CopyText'
import { Fact, Facts } from '../../ui/Fact'
import { sentence, shortId } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { usePreferences } from '../../ui/preferences'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { State } from '../../ui/State'
import { Steps } from '../../ui/Steps'
import { Time } from '../../ui/Time'
import { strategyLabel } from '../accounts/strategy'
import { EndRun } from './EndRun'
import { ResumeRun } from './ResumeRun'
import { age, isOpen, isStopped, type Run, runState, spoken, stepsOf, tabOf, took, waveWaits } from './run'
import classes from './Run.module.css'
import { RunConsumers } from './RunConsumers'
import { RunReplacements } from './RunReplacements'
import { RunWaves } from './RunWaves'
import { Waiting } from './Waiting'

const above = [{ label: 'Runs', to: '/runs' }]
const spokenEveryMs = 5000

/** One run: what is true now, what was done, what is left, and what can be done. */
export function RunPage() {
  const { run: id = '' } = useParams({ strict: false })
  const api = useApi()
  // Wrapped: an event of a run carries the number of its lease, which is not to be compared with the run's revision.
  const query = useQuery({
    queryKey: [...keys.one('run', id), 'page'],
    queryFn: async ({ signal }) => ({ run: bodyOf(await api.GET('/api/v1/runs/{run}', { params: { path: { run: id } }, signal })) }),
  })
  if (query.data !== undefined) return <Shown key={id} run={query.data.run} stale={query.error === null ? undefined : asProblem(query.error)} onRetry={() => void query.refetch()} />
  return (
    <>
      <PageHead title={`Run ${shortId(id)}`} above={above} />
      {query.error !== null ? <ProblemView problem={asProblem(query.error)} onRetry={() => void query.refetch()} /> : <Waiting />}
    </>
  )
}

function Shown({ run, stale, onRetry }: { run: Run; stale?: Problem; onRetry: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const mayAudit = useMay('audit.list')
  const { preferences } = usePreferences()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const resume = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      await api.POST('/api/v1/runs/{run}/resume', { params: { path: { run: run.id } } })
      say('The run goes on.')
    } finally {
      setBusy(false)
      // Also after a lost answer: what is true is read, never assumed.
      await client.invalidateQueries({ queryKey: keys.one('run', run.id) })
    }
  }
  const state = runState(run.state)
  const facts = run.facts ?? []
  const account = `/resources/${encodeURIComponent(run.resourceName)}/accounts/${encodeURIComponent(run.accountName)}`
  return (
    <>
      <PageHead
        title={`Run ${shortId(run.id)}`}
        above={above}
        tab={tabOf(run)}
        state={
          <>
            <Link to={account} className={classes.link}><bdi>{run.accountName}</bdi> on <bdi>{run.resourceName}</bdi></Link>
            {state === undefined ? run.state : <State object="run" state={state} />}
            <Time at={run.createdAt} as="exact" />
            <Age run={run} />
          </>
        }
        actions={
          isOpen(run) && (isStopped(run) || run.can?.['cancel']?.allowed === true) ? (
            <>
              {isStopped(run) && <ResumeRun run={run} busy={busy} onResume={resume} onFailed={(error) => setProblem(asProblem(error))} />}
              <EndRun run={run} />
            </>
          ) : undefined
        }
      >
        {facts.length > 0 && <ul className={classes.facts}>{facts.map((fact) => <li key={fact}>{fact}</li>)}</ul>}
      </PageHead>
      {problem && <div className={classes.problem}><ProblemView problem={problem} onDismiss={() => setProblem(undefined)} /></div>}
      {stale && <div className={classes.problem}><ProblemView problem={stale} onRetry={onRetry} /></div>}
      <Reason run={run} />
      <Spoken text={spoken(run)} />
      <div className={classes.columns}>
        <section className={classes.panel} aria-labelledby="run-steps">
          <h2 id="run-steps">Steps</h2>
          <Steps label="Steps of the run" steps={stepsOf(run, preferences.zone)} />
          <div className={classes.ids}>
            <Facts>
              <Fact label="Started by"><bdi>{run.actor}</bdi></Fact>
              <Fact label="Strategy">{strategyLabel(run.strategy)}</Fact>
              {run.reverts !== undefined && <Fact label="Rolls back"><Link to="/runs/$run" params={{ run: run.reverts }} className={classes.link}>Run {shortId(run.reverts)}</Link></Fact>}
              <Fact label="Id"><CopyText text={run.id} label="the run's id" /></Fact>
              {mayAudit.allowed && <Fact label="Evidence"><Link to="/audit" search={{ run: run.id } as never} className={classes.link}>Audit trail of this run</Link></Fact>}
            </Facts>
          </div>
        </section>
        <div className={classes.stack}>
          <section className={classes.panel} aria-labelledby="run-writes">
            <h2 id="run-writes">Secret keys</h2>
            <RunWaves run={run} />
          </section>
          <RunReplacements run={run} />
          <section className={`${classes.panel} ${classes.consumers}`} aria-labelledby="run-consumers">
            <h2 id="run-consumers">Consumers</h2>
            <RunConsumers run={run} />
          </section>
        </div>
      </div>
    </>
  )
}

/** Why it stopped, in the place that is seen first. */
function Reason({ run }: { run: Run }) {
  if (!run.reason) return null
  // A pause that the policy asks for is no failure.
  const waits = waveWaits(run)
  if (run.state === 'needs_attention' && !waits) {
    const problem = new Problem({ type: 'run-needs-attention', title: run.reason, status: 409, cure: run.cure })
    return <div className={classes.problem}><ProblemView problem={problem} /></div>
  }
  return (
    <div className={classes.note}>
      <p>{sentence(run.reason)}</p>
      {run.state === 'waiting' && run.nextTryAt && <p>{waits ? 'The next wave begins' : 'Next try'} <Time at={run.nextTryAt} as="exact" />{run.tries ? `, after ${run.tries} ${run.tries === 1 ? 'try' : 'tries'}` : ''}.</p>}
      {run.cure && <p><b>What to do now:</b> {sentence(run.cure)}</p>}
    </div>
  )
}

/** How long the run has taken; it counts on while the run is open. */
function Age({ run }: { run: Run }) {
  const [now, setNow] = useState(Date.now)
  const open = isOpen(run)
  useEffect(() => {
    if (!open) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [open])
  return <span className={classes.took}>{open && 'for '}{took(Math.max(0, age(run, now)))}</span>
}

/** Says the last change to a screen reader, at most every five seconds. */
function Spoken({ text }: { text: string }) {
  const [said, setSaid] = useState(text)
  const last = useRef(Date.now())
  useEffect(() => {
    const timer = setTimeout(() => {
      last.current = Date.now()
      setSaid(text)
    }, Math.max(0, last.current + spokenEveryMs - Date.now()))
    return () => clearTimeout(timer)
  }, [text])
  return <div role="status" className={classes.spoken}>{said}</div>
}
