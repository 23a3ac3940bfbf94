import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import type { StateOf } from '../../api/states'
import { bodyOf, useApi, useMay } from '../../app/api'
import { Counts } from '../../ui/Counts'
import { EmptyState } from '../../ui/EmptyState'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { accountPlace, PlaceLink } from '../resources/PlaceLink'
import parts from '../resources/parts.module.css'
import { Waiting } from '../resources/Waiting'
import { EndRestore } from './EndRestore'
import { isSettled, placeOf, type Restore, type Restored, restoreAnswer, restoredState, useRestore } from './restore'
import classes from './restore.module.css'

// More are not drawn: the filter by state and the command line have the rest.
const drawnRows = 200

/** What a restore from an old backup has lost, and which value of each account is right since. */
export function RestorePage() {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const may = useMay('restore.get')
  const mayCheck = useMay('restore.check')
  const { data, error, refetch } = useRestore(may.allowed)
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  const check = async (accounts: string[]) => {
    setBusy(true)
    setProblem(undefined)
    try {
      client.setQueryData(keys.list('restore'), bodyOf(await api.POST('/api/v1/restore/check', { body: { accounts } })))
      say(accounts.length === 1 ? 'The account is being checked.' : 'The accounts are being checked.')
    } catch (failed) {
      setProblem(asProblem(failed))
    } finally {
      setBusy(false)
    }
  }
  const restored = data?.state === 'restored'
  return (
    <>
      <PageHead
        title="Restore"
        actions={restored && (
          <>
            <Offer may={mayCheck} loading={busy} onClick={() => void check([])}>Check all again</Offer>
            <EndRestore restore={data} />
          </>
        )}
      >
        {data ? restoreAnswer(data) : '\u00a0'}
      </PageHead>
      {!may.allowed && <EmptyState empty={{ why: 'no-grants', what: 'what a restore has lost', ask: 'Administrators and auditors may.' }} />}
      {error && <ProblemView problem={asProblem(error)} onRetry={() => void refetch()} />}
      {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
      {may.allowed && !data && !error && <Waiting lines={6} />}
      {data && (
        <div className={classes.sections}>
          {restored && <Lost restore={data} />}
          {restored && <Accounts restore={data} onCheck={mayCheck.allowed && !busy ? (id) => void check([id]) : undefined} />}
          <Witnesses restore={data} />
          <Ended restore={data} />
        </div>
      )}
    </>
  )
}

function Lost({ restore }: { restore: Restore }) {
  return (
    <section aria-label="What was found">
      <Facts>
        <Fact label="Noticed">{restore.foundAt && <Time at={restore.foundAt} as="exact" />}</Fact>
        <Fact label="A later state was seen in">{restore.seenIn}</Fact>
        <Fact label="Audit log">{`had ${count(restore.had)} entries, has ${count(restore.entries)}`}</Fact>
      </Facts>
    </section>
  )
}

function Accounts({ restore, onCheck }: { restore: Restore; onCheck: ((id: string) => void) | undefined }) {
  const [chosen, setChosen] = useState<readonly StateOf<'restored'>[]>([])
  const rows = (restore.accounts ?? []).filter((account) => chosen.length === 0 || chosen.some((state) => state === account.state))
  const shown = rows.slice(0, drawnRows)
  return (
    <section aria-labelledby="restored-accounts">
      <h2 id="restored-accounts">Accounts</h2>
      <Counts label="Accounts by state" object="restored" counts={restore.counts} chosen={chosen} onChoose={setChosen} />
      <div className={classes.scroll} role="region" aria-labelledby="restored-accounts" tabIndex={0}>
        <table className={parts.table}>
          <thead><tr><th>State</th><th>Account</th><th>What is known</th><th><span className={parts.spoken}>What to do</span></th></tr></thead>
          <tbody>{shown.map((account) => <Account key={account.id} account={account} onCheck={onCheck} />)}</tbody>
        </table>
      </div>
      {rows.length > shown.length && <p className={parts.muted}>The first {count(shown.length)} of {count(rows.length)}; choose a state above, or use <code>keyturn restore list</code>.</p>}
    </section>
  )
}

function Account({ account, onCheck }: { account: Restored; onCheck: ((id: string) => void) | undefined }) {
  const state = restoredState(account)
  return (
    <tr>
      <td>{state ? <State object="restored" state={state} /> : account.state}</td>
      <td><span className={classes.account}>{account.name === '' ? <span className={parts.muted}>deleted</span> : <PlaceLink place={accountPlace(placeOf(account))}><bdi>{account.name}</bdi></PlaceLink>}</span></td>
      <td data-wide="">
        {account.reason && <p className={classes.reason}>{account.reason}</p>}
        {account.cure && <p className={`${classes.reason} ${parts.muted}`}>{account.cure}</p>}
        {account.run && <p className={classes.reason}>Its open <PlaceLink place={{ to: '/runs/$run', params: { run: account.run } }}>run</PlaceLink> was given up.</p>}
        {account.at && <p className={`${classes.reason} ${parts.muted}`}><Time at={account.at} /></p>}
      </td>
      <td data-end="">{onCheck && !isSettled(account) && account.state !== 'to_check' && <Offer may={{ allowed: true }} size="compact-sm" label={`Check again: ${account.name}`} onClick={() => onCheck(account.id)}>Check again</Offer>}</td>
    </tr>
  )
}

function Witnesses({ restore }: { restore: Restore }) {
  const witnesses = restore.witnesses ?? []
  return (
    <section aria-labelledby="witnesses">
      <h2 id="witnesses">Kept outside</h2>
      <p className={parts.muted}>The server's folder and each cluster that Keyturn writes to keep how far the repository has come, so that an old one is noticed.</p>
      {witnesses.length === 0
        ? <p>No cluster was asked yet; the file <code>audit.head</code> counts alone.</p>
        : <ul className={classes.list}>{witnesses.map((w) => <li key={w.cluster}><bdi>{w.cluster}</bdi>: {w.problem ?? `knows of ${count(w.entries)} entries`}</li>)}</ul>}
    </section>
  )
}

function Ended({ restore }: { restore: Restore }) {
  const ended = restore.ended ?? []
  if (ended.length === 0) return null
  return (
    <section aria-labelledby="ended">
      <h2 id="ended">Ended before</h2>
      <ul className={classes.list}>
        {ended.map((one) => <li key={one.foundAt}>Noticed <Time at={one.foundAt} as="exact" />, ended by <bdi>{one.endedBy}</bdi> <Time at={one.endedAt} as="exact" />: the log had {count(one.had)} entries and {count(one.entries)} were left.</li>)}
      </ul>
    </section>
  )
}
