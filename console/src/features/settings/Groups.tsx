import { MultiSelect, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import { ifMatch } from '../../api/client'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import type { Column } from '../../ui/columns'
import { Confirm } from '../../ui/Confirm'
import { Drawer } from '../../ui/Drawer'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { FormDialog } from './FormDialog'
import { settingsKeys } from './keys'
import { PermitButton } from './PermitButton'
import type { Group } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

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
        <PermitButton permit={may} onClick={() => dialog.go({ do: 'new' })}>Make a group</PermitButton>
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
      {shown && <One group={shown} dialog={dialog} />}
    </>
  )
}

const idsOf = (text: string) => text.split(',').filter(Boolean)

function Members({ chosen }: { chosen: readonly string[] }) {
  const api = useApi()
  const users = useQuery({ queryKey: settingsKeys.users, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/users', { signal })) })
  const data = (users.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))
  return <MultiSelect name="members" label="Members" data={data} defaultValue={[...chosen]} searchable clearButtonProps={{ 'aria-label': 'Remove all members' }} nothingFoundMessage="No such user" />
}

function One({ group, dialog }: { group: Group; dialog: ReturnType<typeof useDialog> }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const gone = useRef(false)
  const members = group.members ?? []
  const at = { params: { path: { group: group.id }, header: ifMatch(`"${group.rev}"`) } } as const
  const back = () => dialog.go({ open: group.id })
  const read = () => client.invalidateQueries({ queryKey: settingsKeys.groups })
  const edit = async (field: (name: string) => string) => {
    try {
      await api.PATCH('/api/v1/groups/{group}', { ...at, body: { name: field('name'), description: field('description'), members: idsOf(field('members')) } } as never)
      say(`${field('name')} was changed.`)
    } finally {
      await read()
    }
  }
  const remove = async () => {
    await api.DELETE('/api/v1/groups/{group}', at as never)
    gone.current = true
    say(`${group.name} was deleted.`)
    void read()
  }
  return (
    <>
      <Drawer
        opened={dialog.verb === undefined}
        onClose={() => dialog.go({})}
        title={<bdi>{group.name}</bdi>}
        actions={
          <div className={classes.drawerActions}>
            <PermitButton permit={group.can?.['update']} onClick={() => dialog.go({ do: 'edit', open: group.id })}>Edit</PermitButton>
            <PermitButton variant="default" permit={group.can?.['delete']} onClick={() => dialog.go({ do: 'delete', open: group.id })}>Delete…</PermitButton>
          </div>
        }
      >
        <Facts>
          <Fact label="Purpose"><bdi>{group.description}</bdi></Fact>
          <Fact label="Members">{members.length === 0 ? 'none' : <bdi>{members.map(({ name }) => name).join(', ')}</bdi>}</Fact>
          <Fact label="Made"><Time at={group.createdAt} /></Fact>
        </Facts>
      </Drawer>
      <FormDialog opened={dialog.verb === 'edit'} onClose={back} title={`Edit ${group.name}`} action={`Save ${group.name}`} onSubmit={edit}>
        <TextInput name="name" label="Name" defaultValue={group.name} required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus />
        <TextInput name="description" label="Purpose" defaultValue={group.description} autoComplete="off" />
        <Members chosen={members.map(({ id }) => id)} />
      </FormDialog>
      <Confirm
        level={3}
        type={group.name}
        opened={dialog.verb === 'delete'}
        onClose={() => (gone.current ? dialog.go({}) : back())}
        verb="Delete"
        object={group.name}
        consequences={[`${count(members.length)} ${members.length === 1 ? 'member loses' : 'members lose'} what was granted to the group.`, 'The grants of the group are deleted too. It cannot be undone.']}
        onConfirm={remove}
      />
    </>
  )
}
