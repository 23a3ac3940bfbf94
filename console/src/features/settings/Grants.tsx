import { Button, Select } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ifMatch } from '../../api/client'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { EmptyState } from '../../ui/EmptyState'
import { count } from '../../ui/format'
import { ProblemView } from '../../ui/ProblemView'
import { usePreferences } from '../../ui/preferences'
import { useToast } from '../../ui/say'
import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { Waiting } from '../runs/Waiting'
import { NewGrant } from './NewGrant'
import { settingsKeys } from './keys'
import { Offer } from '../../ui/Offer'
import { type Grant, type GrantParts, grantParts, grantText } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

const shownAtFirst = 100

/** Who may do what with what, a sentence each. */
export function Grants() {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const dialog = useDialog()
  const { preferences: { zone } } = usePreferences()
  const [subject, setSubject] = useState<string | null>(null)
  const [all, setAll] = useState(false)
  const query = useQuery({ queryKey: settingsKeys.grants, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/grants', { signal })) })
  if (query.data === undefined) return query.error === null ? <Waiting /> : <ProblemView problem={asProblem(query.error)} onRetry={() => void query.refetch()} />
  const grants = query.data.items ?? []
  const subjects = [...new Map(grants.map((grant) => [grant.subjectId, `${grant.subjectName} (${grant.subjectKind})`])).entries()]
  const chosen = subject === null ? grants : grants.filter(({ subjectId }) => subjectId === subject)
  const shown = all ? chosen : chosen.slice(0, shownAtFirst)
  const open = grants.find(({ id }) => id === dialog.open)
  const remove = async (grant: Grant) => {
    await api.DELETE('/api/v1/grants/{grant}', { params: { path: { grant: grant.id }, header: ifMatch(`"${grant.rev}"`) } } as never)
    say('The grant was taken back.')
    void client.invalidateQueries({ queryKey: settingsKeys.grants })
  }
  return (
    <>
      <div className={classes.bar}>
        <p>{count(grants.length)} {grants.length === 1 ? 'grant' : 'grants'}. Administrators need none.</p>
        {subjects.length > 1 && <Select aria-label="Grants of" placeholder="Of everybody" data={subjects.map(([value, label]) => ({ value, label }))} value={subject} onChange={setSubject} clearable searchable clearButtonProps={{ 'aria-label': 'Grants of everybody' }} />}
        <Offer variant="filled" may={query.data.can?.['create']} onClick={() => dialog.go({ do: 'new' })}>Grant something</Offer>
      </div>
      {grants.length === 0 ? (
        <EmptyState empty={{ why: 'first', title: 'No grant yet', text: 'A grant gives a user or a group a right on a cluster, a resource or an account.' }} />
      ) : (
        <ul className={classes.list} aria-label="Grants">
          {shown.map((grant) => <Line key={grant.id} grant={grant} parts={grantParts(grant, zone)} onTakeBack={() => dialog.go({ do: 'delete', open: grant.id })} />)}
        </ul>
      )}
      {shown.length < chosen.length && <Button mt="md" variant="default" onClick={() => setAll(true)}>Show all {count(chosen.length)}</Button>}
      <NewGrant opened={dialog.verb === 'new'} onClose={() => dialog.go({})} />
      {open && (
        <Confirm
          level={2}
          opened={dialog.verb === 'delete'}
          onClose={() => dialog.go({})}
          verb="Take back"
          object="this grant"
          consequences={[`${grantText(grantParts(open, zone))}.`, 'It ends at once. Other grants may still give the same right.']}
          onConfirm={() => remove(open)}
        />
      )}
    </>
  )
}

/** A grant as a sentence, with the names marked. */
export function Sentence({ parts }: { parts: GrantParts }) {
  return <>{parts.who} <b><bdi>{parts.name}</bdi></b> may <i>{parts.verb}</i> {parts.reach} <b><bdi>{parts.object}</bdi></b> {parts.until}</>
}

function Line({ grant, parts, onTakeBack }: { grant: Grant; parts: GrantParts; onTakeBack: () => void }) {
  const ended = grant.expiresAt !== undefined && Date.parse(grant.expiresAt) <= Date.now()
  return (
    <li>
      <span className={classes.sentence}>
        <Sentence parts={parts} />. <span className={classes.muted}>Given by <bdi>{grant.grantedBy}</bdi> <Time at={grant.createdAt} /></span>
      </span>
      {ended && <State object="grant" state="ended" />}
      <Offer size="compact-sm" variant="default" may={grant.can?.['delete']} onClick={onTakeBack}>Take back</Offer>
    </li>
  )
}
