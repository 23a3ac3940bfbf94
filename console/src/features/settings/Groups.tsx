import { TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import type { Column } from '../../ui/columns'
import { count } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { FormDialog } from './FormDialog'
import { settingsKeys } from './keys'
import { idsOf } from './memberIds'
import { Members } from './Members'
import type { Group } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

// Loaded when a group is opened, and when one is made.
const OneGroup = lazy(() => import('./OneGroup').then((m) => ({ default: m.OneGroup })))

const columns: Column<Group>[] = [
  { key: 'name', title: 'Name', width: 160, grow: 1, render: (group) => <bdi className={classes.cell}>{group.name}</bdi> },
  { key: 'members', title: 'Members', width: 100, align: 'end', render: (group) => count((group.members ?? []).length) },
  { key: 'who', title: 'Who', width: 180, grow: 2, priority: 1, render: (group) => <bdi className={classes.cell}>{(group.members ?? []).map(({ name }) => name).join(', ')}</bdi> },
  { key: 'description', title: 'Purpose', width: 160, grow: 2, priority: 2, render: (group) => <bdi className={classes.cell}>{group.description}</bdi> },
  { key: 'created', title: 'Made', width: 130, priority: 3, render: (group) => <Time at={group.createdAt} /> },
]

/** Sets of users, to grant something to all of them at once. */
export function Groups() {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const dialog = useDialog()
  const query = useQuery({ queryKey: settingsKeys.groups, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/groups', { signal })) })
  const groups = query.data?.items ?? []
  const shown = groups.find(({ id }) => id === dialog.open)
  const make = async (field: (name: string) => string) => {
    const name = field('name')
    await api.POST('/api/v1/groups', { body: { name, description: field('description') || undefined, members: idsOf(field('members')) } })
    say(`${name} was made.`)
    await client.invalidateQueries({ queryKey: settingsKeys.groups })
  }
  const may = query.data?.can?.['create']
  return (
    <>
      <div className={classes.bar}>
        <p>{query.data && `${count(groups.length)} ${groups.length === 1 ? 'group' : 'groups'}. What is granted to a group counts for each of its members.`}</p>
        <Offer variant="filled" may={may} onClick={() => dialog.go({ do: 'new' })}>Make a group</Offer>
      </div>
      <Grid
        label="Groups"
        columns={columns}
        total={query.data && groups.length}
        rowAt={(index) => groups[index]}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        onOpen={({ id }) => dialog.go({ open: id })}
        open={dialog.open}
        problem={query.error === null ? undefined : asProblem(query.error)}
        onRetry={() => void query.refetch()}
        empty={{ why: 'first', title: 'No group yet', text: 'A group is a set of users that is granted something together.' }}
      />
      <FormDialog opened={dialog.verb === 'new'} onClose={() => dialog.go({})} title="Make a group" action="Make the group" onSubmit={make}>
        <TextInput name="name" label="Name" required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus />
        <TextInput name="description" label="Purpose" autoComplete="off" />
        <Members chosen={[]} />
      </FormDialog>
      {shown && <Suspense><OneGroup group={shown} dialog={dialog} /></Suspense>}
    </>
  )
}
