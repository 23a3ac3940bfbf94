import { SegmentedControl, Select, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useToast } from '../../ui/say'
import { FormDialog } from '../settings/FormDialog'
import type { Assignment, Policy } from './policy'
import classes from './policies.module.css'

type By = Assignment['by']

const ways: readonly { value: By; label: string; means: string }[] = [
  { value: 'account', label: 'Account', means: 'This account alone. It wins over everything else.' },
  { value: 'resource', label: 'Resource', means: 'Every account of the resource that no policy is assigned to by itself.' },
  { value: 'label', label: 'Labels', means: 'Accounts that are mapped to a Secret with all of these labels; a name alone asks for any value.' },
  { value: 'rule', label: 'Rule', means: 'Accounts whose type, resource and name match these globs (*, ?, [a-z]).' },
]
const most = 100

/** What a search for a name gives: at most a hundred, the server searches. */
function useNamed(by: By, search: string): { value: string; label: string }[] {
  const api = useApi()
  const query = { q: search || undefined, limit: most }
  const { data } = useQuery({
    queryKey: [...keys.list(by === 'account' ? 'account' : 'resource', { q: search || undefined }), 'assign'],
    queryFn: async ({ signal }) => {
      if (by === 'account') return (bodyOf(await api.GET('/api/v1/accounts', { params: { query }, signal })).items ?? []).map(({ id, name, resourceName }) => ({ value: id, label: `${name} on ${resourceName}` }))
      const all = bodyOf(await api.GET('/api/v1/resources', { params: { query }, signal })).items ?? []
      return all.filter(({ type }) => type !== 'kubernetes').map(({ id, name }) => ({ value: id, label: name }))
    },
    enabled: by === 'account' || by === 'resource',
  })
  return data ?? []
}

/** Has a policy apply to accounts. */
export function AssignPolicy({ policy, onClose, onDone }: { policy: Policy; onClose: () => void; onDone: () => void }) {
  const api = useApi()
  const say = useToast()
  const [opened, setOpened] = useState(true)
  const submit = async (field: (name: string) => string) => {
    await api.POST('/api/v1/policies/{policy}/assignments', { params: { path: { policy: policy.id } }, body: { by: field('by') as By, pattern: field('pattern').trim() } })
    say(`${policy.name} was assigned.`)
    onDone()
  }
  return (
    <FormDialog opened={opened} onClose={() => { setOpened(false); onClose() }} title={`Assign ${policy.name}`} action={`Assign ${policy.name}`} onSubmit={submit}>
      <Choices />
    </FormDialog>
  )
}

function Choices() {
  const [by, setBy] = useState<By>('resource')
  const [chosen, setChosen] = useState<{ value: string; label: string }>()
  const [search, setSearch] = useState('')
  const found = useNamed(by, search === chosen?.label ? '' : search)
  const offered = chosen === undefined || found.some(({ value }) => value === chosen.value) ? found : [chosen, ...found]
  const means = ways.find(({ value }) => value === by)?.means
  return (
    <>
      <SegmentedControl name="by" aria-label="To what" value={by} data={ways.map(({ value, label }) => ({ value, label }))} onChange={(next) => { setBy(next as By); setChosen(undefined); setSearch('') }} />
      <p className={classes.quiet}>{means} What was assigned to just the same before is not any more.</p>
      {by === 'account' || by === 'resource' ? (
        <Select
          key={by}
          name="pattern"
          label={by === 'account' ? 'Which account' : 'Which resource'}
          data={offered}
          value={chosen?.value ?? null}
          onChange={(_, option) => setChosen(option === null ? undefined : { value: option.value, label: option.label })}
          searchValue={search}
          onSearchChange={setSearch}
          filter={({ options }) => options}
          searchable
          required
          withAsterisk={false}
          nothingFoundMessage={`No such ${by}`}
        />
      ) : (
        <TextInput key={by} name="pattern" label={by === 'label' ? 'Which labels' : 'Type/resource/account'} placeholder={by === 'label' ? 'env=prod,tier' : 'postgresql/prod-*/*'} required withAsterisk={false} maxLength={1000} autoComplete="off" autoCapitalize="none" spellCheck={false} />
      )}
    </>
  )
}
