import { Button, Stack } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { BothSides } from '../../ui/BothSides'
import { EmptyState } from '../../ui/EmptyState'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { type Contested, contested, firstSide, type Side } from '../../ui/sides'
import { type ConnectionDraft, faultsOf, useCheck } from './check'
import { type Cluster, may, pathOf, scopeText, useCluster } from './clusters'
import classes from './Connect.module.css'
import { ConnectionForm } from './ConnectionForm'
import { draftOf, type ScopeDraft, scopeFault, scopeOf } from './connector'
import { Loading } from './Loading'
import { ReportView } from './ReportView'
import { Rights, ScopeForm } from './ScopeForm'

type Change = Schemas['ClusterChange']

const caOf = ({ trust, ca }: ConnectionDraft) => (trust === 'pem' ? ca : '')
const sameScope = (a: Schemas['Scope'], b: Schemas['Scope']) => JSON.stringify([[...(a.namespaces ?? [])].sort(), a.access, a.restart ?? false, a.portForward ?? false, a.renewToken ?? false, a.replace ?? false]) === JSON.stringify([[...(b.namespaces ?? [])].sort(), b.access, b.restart ?? false, b.portForward ?? false, b.renewToken ?? false, b.replace ?? false])

/** The fields that differ from what is stored, without the name, which is no part of a test. */
export function changeOf(cluster: Cluster, draft: ConnectionDraft, scope: ScopeDraft, token: string): Change {
  const [server, ca, rights] = [draft.server.trim(), caOf(draft), scopeOf(scope)]
  return {
    ...(server !== cluster.server && { server }),
    ...(ca !== (cluster.ca ?? '') && { ca }),
    ...(!sameScope(rights, cluster.scope) && { scope: rights }),
    ...(token !== '' && { token }),
  }
}

/** Whether a change sends the token to another place, or trusts somebody else there: the stored one is then not used. */
export function needsToken({ server, ca }: Change): boolean {
  return server !== undefined || ca !== undefined
}

/** Changes how a cluster is reached, and what Keyturn may do there. Nothing is saved that was not tested as it stands. */
export function EditPage() {
  const { cluster: ref = '' } = useParams({ strict: false }) as { cluster?: string }
  const { cluster, problem, onRetry } = useCluster(ref)
  const name = cluster?.name ?? ref
  const allowed = cluster && may(cluster, 'update')
  return (
    <>
      <PageHead title={`Edit ${name}`} above={[{ label: 'Clusters', to: '/clusters' }, { label: name, to: pathOf(name) }]} />
      {!cluster && (problem ? <ProblemView problem={problem} onRetry={onRetry} /> : <Loading label="Reading the cluster" />)}
      {cluster && allowed && !allowed.allowed && <EmptyState empty={{ why: 'no-grants', what: `changing ${name}`, ask: allowed.reason ?? 'Ask an administrator.' }} />}
      {cluster && allowed?.allowed && <Form key={cluster.id} cluster={cluster} />}
    </>
  )
}

const draftFrom = (cluster: Cluster): ConnectionDraft => ({ name: cluster.name, server: cluster.server, trust: cluster.ca ? 'pem' : 'system', ca: cluster.ca ?? '' })

/** The fields as they were read, as they are typed, and as they are stored now. The token is on no side: it is never read. */
function fieldsOf(base: Cluster, draft: ConnectionDraft, scope: ScopeDraft, now: Cluster): Contested[] {
  const caOf = ({ trust, ca }: ConnectionDraft) => (trust === 'pem' ? ca.trim() : 'the system’s roots')
  const [was, is] = [draftFrom(base), draftFrom(now)]
  return contested([
    { key: 'name', label: 'Name', base: was.name, mine: draft.name, theirs: is.name },
    { key: 'server', label: 'API server URL', base: was.server, mine: draft.server, theirs: is.server },
    { key: 'ca', label: 'Certificate authority', base: caOf(was), mine: caOf(draft), theirs: caOf(is) },
    { key: 'scope', label: 'Rights', base: scopeText(base.scope), mine: scopeText(scopeOf(scope)), theirs: scopeText(now.scope) },
  ])
}

function Form({ cluster }: { cluster: Cluster }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  // What the fields began with. A newer one that an event brings is not taken silently: the save is refused, and both are shown.
  const [base, setBase] = useState(cluster)
  const [conflict, setConflict] = useState<{ fields: Contested[]; draft: ConnectionDraft; scope: ScopeDraft }>()
  const [draft, setDraft] = useState<ConnectionDraft>(draftFrom(cluster))
  const [scope, setScope] = useState<ScopeDraft>(draftOf(cluster.scope))
  const [token, setToken] = useState('')
  const [saving, setSaving] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const path = { cluster: cluster.id }
  const change = changeOf(base, draft, scope, token)
  const check = useCheck(change, async (body, signal): Promise<Schemas['Report']> =>
    bodyOf(await api.POST('/api/v1/clusters/{cluster}/test', { params: { path }, body, signal })))
  const faults = faultsOf(draft)
  const scopeWrong = scopeFault(scope)
  const tokenWanted = needsToken(change) && token === ''
  const emptyCA = draft.trust === 'pem' && draft.ca.trim() === ''
  const testable = !faults.server && !faults.ca && scopeWrong === undefined && !tokenWanted && !emptyCA
  const unchanged = draft.name === base.name && Object.keys(change).length === 0
  const savable = testable && check.passed && !faults.name && !unchanged
  const why =
    scopeWrong
    ?? (emptyCA ? 'Give the CA, or choose the system’s roots.'
      : tokenWanted ? 'The token is needed: the stored one is sent to no other address, and to nobody whom another CA vouches for.'
      : unchanged ? 'Nothing is changed yet.'
      : !check.fresh ? 'Test these fields first.'
      : !check.passed ? 'The last test did not pass.'
      : undefined)
  const save = async () => {
    setSaving(true)
    setProblem(undefined)
    try {
      const body: Change = { ...change, ...(draft.name !== base.name && { name: draft.name }) }
      const stored = bodyOf(await api.PATCH('/api/v1/clusters/{cluster}', { params: { path, header: ifMatch(`"${base.rev}"`) }, body }))
      setToken('')
      client.setQueryData(keys.one('cluster', stored.id), stored)
      await client.invalidateQueries({ queryKey: keys.lists('cluster') })
      await navigate({ to: pathOf(stored.name) })
      say('Saved')
    } catch (error) {
      setProblem(asProblem(error))
      if (changedMeanwhile(error)) await compare().catch((failed: unknown) => setProblem(asProblem(failed)))
    } finally {
      setSaving(false)
    }
  }
  /** Reads what is stored now; what was not typed here becomes what it is there. */
  const compare = async () => {
    const now = bodyOf(await api.GET('/api/v1/clusters/{cluster}', { params: { path } }))
    const fields = fieldsOf(base, draft, scope, now)
    client.setQueryData(keys.one('cluster', now.id), now)
    setBase(now)
    setConflict({ fields, draft, scope })
    for (const field of fields) if (firstSide(field) === 'theirs') put(field.key, draftFrom(now), draftOf(now.scope))
  }
  /** Puts one field into the form, as one of the two sides has it. */
  const put = (key: string, from: ConnectionDraft, rights: ScopeDraft) => {
    if (key === 'scope') setScope(rights)
    else setDraft((before) => ({ ...before, ...(key === 'ca' ? { ca: from.ca, trust: from.trust } : key === 'name' ? { name: from.name } : { server: from.server }) }))
  }
  const choose = (key: string, side: Side) => {
    if (side === 'theirs') put(key, draftFrom(base), draftOf(base.scope))
    else if (conflict) put(key, conflict.draft, conflict.scope)
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
        <Stack gap={24}>
          <ConnectionForm
            draft={draft}
            onChange={setDraft}
            token={token}
            onToken={setToken}
            tokenNote={needsToken(change) ? 'Needed, because the address or the CA changed.' : 'Empty keeps the stored one.'}
            problem={problem ?? check.problem}
          />
          <ScopeForm draft={scope} onChange={setScope} showFault />
        </Stack>
        <Stack gap={12}>
          {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
          {conflict && <BothSides key={base.rev} fields={conflict.fields} onChoose={choose} />}
          {check.problem && <ProblemView problem={check.problem} onRetry={check.test} />}
          <ReportView busy={check.busy} report={check.report} stale={!check.fresh} onUseCA={(ca) => setDraft({ ...draft, trust: 'pem', ca })} />
          {change.scope && <Rights draft={scope} />}
        </Stack>
      </div>
      <div className={classes.feet}>
        <Button variant={savable ? 'default' : 'filled'} disabled={!testable} loading={check.busy} onClick={check.test}>Test</Button>
        <Button type="submit" disabled={!savable} loading={saving}>Save</Button>
        <Button variant="default" component={Link} to={pathOf(cluster.name)}>Cancel</Button>
        {why && <span className={classes.hint}>{why}</span>}
      </div>
    </form>
  )
}
