import { SegmentedControl, Select } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { usePreferences } from '../../ui/preferences'
import { useToast } from '../../ui/say'
import { FormDialog } from './FormDialog'
import { Sentence } from './Grants'
import { settingsKeys } from './keys'
import { endAfter, type Grant, grantParts, type Level, levels } from './people'
import classes from './Settings.module.css'

type Choice = { value: string; label: string }
const ends: readonly Choice[] = [
  { value: '', label: 'Without end' },
  { value: '1', label: 'For a day' },
  { value: '7', label: 'For 7 days' },
  { value: '30', label: 'For 30 days' },
  { value: '90', label: 'For 90 days' },
]
const most = 100

/** What a search for a name gives: at most a hundred, the server searches. */
function useObjects(kind: Grant['objectKind'], search: string): Choice[] {
  const api = useApi()
  const query = { q: search || undefined, limit: most }
  const { data } = useQuery({
    queryKey: keys.list(kind, { ...query, limit: String(most), for: 'grant' }),
    queryFn: async ({ signal }): Promise<Choice[]> => {
      if (kind === 'cluster') return (bodyOf(await api.GET('/api/v1/clusters', { params: { query } as never, signal })).items ?? []).map(({ id, name }) => ({ value: id, label: name }))
      if (kind === 'resource') return (bodyOf(await api.GET('/api/v1/resources', { params: { query } as never, signal })).items ?? []).map(({ id, name }) => ({ value: id, label: name }))
      return (bodyOf(await api.GET('/api/v1/accounts', { params: { query } as never, signal })).items ?? []).map(({ id, name, resourceName }) => ({ value: id, label: `${name} on ${resourceName}` }))
    },
  })
  return data ?? []
}

function useSubjects(kind: Grant['subjectKind']): Choice[] {
  const api = useApi()
  const users = useQuery({ queryKey: settingsKeys.users, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/users', { signal })), enabled: kind === 'user' })
  const groups = useQuery({ queryKey: settingsKeys.groups, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/groups', { signal })), enabled: kind === 'group' })
  const found: readonly { id: string; name: string }[] = (kind === 'user' ? users.data?.items : groups.data?.items) ?? []
  return found.map(({ id, name }) => ({ value: id, label: name }))
}

/** Gives a right; what it will say stands below the choices. */
export function NewGrant({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const submit = async (field: (name: string) => string) => {
    const body = {
      subjectKind: field('subjectKind') as Grant['subjectKind'], subjectId: field('subject'), objectKind: field('objectKind') as Grant['objectKind'],
      objectId: field('object'), level: field('level') as Level, expiresAt: endAfter(field('end'), Date.now()),
    }
    await api.POST('/api/v1/grants', { body })
    say('Granted.')
    await client.invalidateQueries({ queryKey: settingsKeys.grants })
  }
  return (
    <FormDialog opened={opened} onClose={onClose} title="Grant something" action="Grant it" onSubmit={submit}>
      <Choices />
    </FormDialog>
  )
}

function Choices() {
  const { preferences: { zone } } = usePreferences()
  const [subjectKind, setSubjectKind] = useState<Grant['subjectKind']>('group')
  const [subject, setSubject] = useState<string | null>(null)
  const [objectKind, setObjectKind] = useState<Grant['objectKind']>('resource')
  const [object, setObject] = useState<Choice>()
  const [search, setSearch] = useState('')
  const [level, setLevel] = useState<Level>('view')
  const [end, setEnd] = useState('')
  const subjects = useSubjects(subjectKind)
  const objects = useObjects(objectKind, search === object?.label ? '' : search)
  const subjectName = subjects.find(({ value }) => value === subject)?.label
  // What was chosen stays choosable while the search shows others.
  const offered = object === undefined || objects.some(({ value }) => value === object.value) ? objects : [object, ...objects]
  const whole = subjectName !== undefined && object !== undefined
  return (
    <>
      <SegmentedControl name="subjectKind" aria-label="To whom" value={subjectKind} onChange={(kind) => { setSubjectKind(kind); setSubject(null) }} data={[{ value: 'group', label: 'A group' }, { value: 'user', label: 'A user' }]} />
      <Select name="subject" label={subjectKind === 'group' ? 'Group' : 'User'} data={subjects} value={subject} onChange={setSubject} data-autofocus searchable required withAsterisk={false} nothingFoundMessage={`No such ${subjectKind}`} />
      <SegmentedControl name="objectKind" aria-label="On what" value={objectKind} onChange={(kind) => { setObjectKind(kind); setObject(undefined); setSearch('') }} data={[{ value: 'cluster', label: 'A cluster' }, { value: 'resource', label: 'A resource' }, { value: 'account', label: 'An account' }]} />
      <Select
        name="object"
        label={{ cluster: 'Cluster', resource: 'Resource', account: 'Account' }[objectKind]}
        data={offered}
        value={object?.value ?? null}
        onChange={(_, option) => setObject(option === null ? undefined : { value: option.value, label: option.label })}
        searchValue={search}
        onSearchChange={setSearch}
        filter={({ options }) => options}
        searchable
        required
        withAsterisk={false}
        nothingFoundMessage={`No such ${objectKind}`}
      />
      <Select name="level" label="Right" data={levels.map(({ value, label, means }) => ({ value, label: `${label}: ${means}` }))} value={level} onChange={(next) => setLevel((next ?? 'view') as Level)} allowDeselect={false} />
      <Select name="end" label="How long" data={[...ends]} value={end} onChange={(next) => setEnd(next ?? '')} allowDeselect={false} />
      <p className={classes.preview} role="status">
        {whole
          ? <Sentence parts={grantParts({ subjectKind, subjectName, objectKind, objectName: object.label, level, expiresAt: endAfter(end, Date.now()) }, zone)} />
          : 'Choose who gets it and on what; the grant is then read out here.'}
      </p>
    </>
  )
}
