import { Button, Stack } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi, useMay } from '../../app/api'
import { CopyText } from '../../ui/CopyText'
import { EmptyState } from '../../ui/EmptyState'
import { iconProps } from '../../ui/icons'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { type ConnectionDraft, faultsOf, firstConnection, useCheck } from './check'
import { pathOf } from './clusters'
import classes from './Connect.module.css'
import { ConnectionForm } from './ConnectionForm'
import { commands, firstScope, manifestAddress, type ScopeDraft, scopeFault, scopeOf, useManifest } from './connector'
import { ReportView } from './ReportView'
import { Rights, ScopeForm } from './ScopeForm'

const steps = [
  ['rights', 'Rights'],
  ['apply', 'Apply'],
  ['connect', 'Connect and test'],
  ['choose', 'Choose Secrets'],
] as const
type Step = (typeof steps)[number][0]

/** The step that the address names. There are no Secrets to choose before the cluster is saved, and saving leaves this page. */
export function stepOf(named: unknown): Step {
  return named === 'apply' || named === 'connect' ? named : named === 'choose' ? 'connect' : 'rights'
}

/** Connects a cluster in four steps, each with its own address. What was typed survives going back; the token does not. */
export function ConnectPage() {
  const step = stepOf((useSearch({ strict: false }) as Record<string, unknown>)['step'])
  const create = useMay('cluster.create')
  const [scope, setScope] = useState<ScopeDraft>(firstScope)
  const [connection, setConnection] = useState<ConnectionDraft>(firstConnection)
  return (
    <>
      <PageHead title="Connect a cluster" above={[{ label: 'Clusters', to: '/clusters' }]} />
      {!create.allowed && <EmptyState empty={{ why: 'no-grants', what: 'connecting clusters', ask: create.reason ?? 'Ask an administrator.' }} />}
      {create.allowed && (
        <>
          <StepLinks current={step} />
          {step === 'rights' && <RightsStep scope={scope} onChange={setScope} />}
          {step === 'apply' && <ApplyStep scope={scope} />}
          {step === 'connect' && <ConnectStep scope={scope} connection={connection} onChange={setConnection} />}
        </>
      )}
    </>
  )
}

function StepLinks({ current }: { current: Step }) {
  return (
    <nav aria-label="Steps">
      <ol className={classes.wizard}>
        {steps.map(([step, title], i) => (
          <li key={step}>
            {step === 'choose' ? (
              <span data-step=""><span className={classes.number}>{i + 1}</span>{title}</span>
            ) : (
              <Link to="." search={{ step } as never} aria-current={step === current ? 'step' : undefined} data-current={step === current || undefined}>
                <span className={classes.number}>{i + 1}</span>{title}
              </Link>
            )}
          </li>
        ))}
      </ol>
    </nav>
  )
}

function RightsStep({ scope, onChange }: { scope: ScopeDraft; onChange: (scope: ScopeDraft) => void }) {
  const navigate = useNavigate()
  const [asked, setAsked] = useState(false)
  const next = () => {
    setAsked(true)
    if (scopeFault(scope) === undefined) void navigate({ to: '.', search: { step: 'apply' } as never })
  }
  return (
    <>
      <div className={classes.sides}>
        <ScopeForm draft={scope} onChange={onChange} showFault={asked} />
        <Rights draft={scope} />
      </div>
      <div className={classes.feet}>
        <Button onClick={next}>Next: apply them</Button>
        <Button variant="subtle" component={Link} to="/clusters">Cancel</Button>
      </div>
    </>
  )
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function ApplyStep({ scope }: { scope: ScopeDraft }) {
  const valid = scopeFault(scope) === undefined
  const manifest = useManifest(scopeOf(scope), valid)
  const [sum, setSum] = useState<string>()
  const text = manifest.data
  useEffect(() => {
    // Pages without HTTPS have no crypto.subtle.
    if (text === undefined || !('subtle' in crypto)) return
    let here = true
    void sha256(text).then((found) => here && setSum(found))
    return () => {
      here = false
    }
  }, [text])
  if (!valid) return <p className={classes.hint}>The namespaces are not named yet. <Link to="." search={{ step: 'rights' } as never}>Back to Rights</Link></p>
  return (
    <>
      <ol className={classes.commands}>
        <li>
          <p>Save the manifest where kubectl works with this cluster.</p>
          <Button component="a" href={manifestAddress(scopeOf(scope))} download="keyturn-config.yaml" leftSection={<IconDownload {...iconProps} />}>Download keyturn-config.yaml</Button>
          {sum && <p className={classes.hint}>SHA-256 <code>{sum}</code></p>}
          {manifest.error && <ProblemView problem={asProblem(manifest.error)} onRetry={() => void manifest.refetch()} />}
        </li>
        <li><p>Apply it, as somebody who may create roles there.</p><CopyText command label="the command that applies it" text={commands.apply} /></li>
        <li><p>Print the token. Paste it into the next step as it is, in base64.</p><CopyText command label="the command that prints the token" text={commands.token} /></li>
        <li><p>Save the certificate authority.</p><CopyText command label="the command that saves the CA" text={commands.ca} /></li>
        <li><p>Print the API server's URL.</p><CopyText command label="the command that prints the URL" text={commands.server} /></li>
      </ol>
      <div className={classes.feet}>
        <Button component={Link} to="." search={{ step: 'connect' } as never}>Next: connect and test</Button>
        <Button variant="default" component={Link} to="." search={{ step: 'rights' } as never}>Back</Button>
      </div>
    </>
  )
}

interface ConnectStepProps {
  scope: ScopeDraft
  connection: ConnectionDraft
  onChange: (connection: ConnectionDraft) => void
}

function ConnectStep({ scope, connection, onChange }: ConnectStepProps) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [token, setToken] = useState('')
  const [saving, setSaving] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const { name } = connection
  // The name is not tested, so another one does not undo the test.
  const tested = { server: connection.server.trim(), ca: connection.trust === 'pem' ? connection.ca : '', token, scope: scopeOf(scope) }
  const check = useCheck(tested, async (fields, signal): Promise<Schemas['Report']> =>
    bodyOf(await api.POST('/api/v1/clusters/test', { body: { name: name || 'new', ...fields }, signal })))
  const faults = faultsOf(connection)
  const scopeWrong = scopeFault(scope)
  const testable = !faults.server && !faults.ca && token !== '' && scopeWrong === undefined
  const { known, removed = false } = check.report ?? {}
  const again = check.passed && known !== undefined && removed
  const savable = check.passed && !faults.name && (known === undefined || removed)
  const why = scopeWrong ?? (!testable ? 'The URL and the token are needed.' : !check.fresh ? 'Test these fields first.' : !check.passed ? 'The last test did not pass.' : known !== undefined && !removed ? `It is connected already, as ${known}.` : faults.name && 'A name is needed.')
  const save = async () => {
    setSaving(true)
    setProblem(undefined)
    try {
      const made = bodyOf(await api.POST('/api/v1/clusters', { body: { name, ...tested, reattach: again || undefined } }))
      setToken('')
      client.setQueryData(keys.one('cluster', made.id), made)
      await client.invalidateQueries({ queryKey: keys.lists('cluster') })
      await navigate({ to: pathOf(made.name, 'fetch') })
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      setSaving(false)
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (savable) void save()
        else if (testable) check.test()
      }}
    >
      <div className={classes.sides}>
        <ConnectionForm
          draft={connection}
          onChange={onChange}
          token={token}
          onToken={setToken}
          tokenNote="As the command of the step before printed it, raw or base64. It is sealed when it is stored, and never shown."
          problem={problem ?? check.problem}
        />
        <Stack gap={12}>
          {check.problem && <ProblemView problem={check.problem} onRetry={check.test} />}
          <ReportView
            busy={check.busy}
            report={check.report}
            stale={!check.fresh}
            onUseCA={(ca) => onChange({ ...connection, trust: 'pem', ca })}
          />
          {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
        </Stack>
      </div>
      <div className={classes.feet}>
        <Button variant={savable ? 'default' : 'filled'} disabled={!testable} loading={check.busy} onClick={check.test}>Test</Button>
        <Button type="submit" disabled={!savable} loading={saving}>{again ? 'Attach again' : 'Save'}</Button>
        <Button variant="default" component={Link} to="." search={{ step: 'apply' } as never}>Back</Button>
        {why && <span className={classes.hint}>{why}</span>}
      </div>
    </form>
  )
}
