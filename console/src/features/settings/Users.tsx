import { PasswordInput, Select, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import { ifMatch } from '../../api/client'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi, useWho } from '../../app/api'
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
import { changed, type Role, roles, type User } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

const roleName = (role: Role) => roles.find(({ value }) => value === role)?.label ?? role

const columns: Column<User>[] = [
  { key: 'name', title: 'Name', width: 160, grow: 1, render: (user) => <bdi className={classes.cell}>{user.name}</bdi> },
  { key: 'role', title: 'Role', width: 120, render: (user) => roleName(user.role) },
  { key: 'disabled', title: 'Sign-in', width: 100, render: (user) => (user.disabled ? 'disabled' : <span className={classes.muted}>allowed</span>) },
  { key: 'displayName', title: 'Full name', width: 160, grow: 1, priority: 1, render: (user) => <bdi className={classes.cell}>{user.displayName}</bdi> },
  { key: 'lastLogin', title: 'Last sign-in', width: 130, priority: 2, render: (user) => (user.lastLoginAt ? <Time at={user.lastLoginAt} /> : <span className={classes.muted}>never</span>) },
  { key: 'created', title: 'Made', width: 130, priority: 3, render: (user) => <Time at={user.createdAt} /> },
]

/** Who can sign in, and as what. */
export function Users() {
  const api = useApi()
  const dialog = useDialog()
  const query = useQuery({ queryKey: settingsKeys.users, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/users', { signal })) })
  const users = query.data?.items ?? []
  const shown = users.find(({ id }) => id === dialog.open)
  return (
    <>
      <div className={classes.bar}>
        <p>{query.data && `${count(users.length)} ${users.length === 1 ? 'user' : 'users'}. A role says what somebody may do at all; grants say with what.`}</p>
        <PermitButton permit={query.data?.can?.['create']} onClick={() => dialog.go({ do: 'new' })}>Make a user</PermitButton>
      </div>
      <Grid
        label="Users"
        columns={columns}
        total={query.data && users.length}
        rowAt={(index) => users[index]}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        onOpen={({ id }) => dialog.go({ open: id })}
        open={dialog.open}
        problem={query.error === null ? undefined : asProblem(query.error)}
        onRetry={() => void query.refetch()}
        empty={{ why: 'first', title: 'No user yet', text: 'A user is a person who signs in.' }}
      />
      <NewUser opened={dialog.verb === 'new'} onClose={() => dialog.go({})} />
      {shown && <One user={shown} dialog={dialog} />}
    </>
  )
}

function NewUser({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const submit = async (field: (name: string) => string) => {
    const body = { name: field('name'), displayName: field('displayName') || undefined, role: field('role') as Role, password: field('password') }
    await api.POST('/api/v1/users', { body })
    say(`${body.name} can sign in.`)
    await client.invalidateQueries({ queryKey: settingsKeys.users })
  }
  return (
    <FormDialog opened={opened} onClose={onClose} title="Make a user" action="Make the user" onSubmit={submit}>
      <TextInput name="name" label="Name" description="To sign in with. It cannot be changed later." required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus />
      <TextInput name="displayName" label="Full name" autoComplete="off" />
      <RoleSelect role="user" />
      <PasswordInput name="password" label="First password" description="Tell it to them in person; they change it in their settings." required withAsterisk={false} autoComplete="new-password" />
    </FormDialog>
  )
}

function RoleSelect({ role }: { role: Role }) {
  return (
    <Select
      name="role"
      label="Role"
      data={roles.map(({ value, label }) => ({ value, label }))}
      defaultValue={role}
      allowDeselect={false}
      renderOption={({ option }) => <div><div>{option.label}</div><div className={classes.muted}>{roles.find(({ value }) => value === option.value)?.means}</div></div>}
    />
  )
}

function One({ user, dialog }: { user: User; dialog: ReturnType<typeof useDialog> }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const who = useWho()
  const gone = useRef(false)
  const mine = who.user.id === user.id
  const at = { params: { path: { user: user.id }, header: ifMatch(`"${user.rev}"`) } } as const
  const back = () => dialog.go({ open: user.id })
  const read = () => client.invalidateQueries({ queryKey: settingsKeys.users })
  /** A change of somebody whom another changed meanwhile is refused; what is true is read then too. */
  const change = async (body: { displayName?: string; role?: Role; disabled?: boolean }, said: string) => {
    try {
      await api.PATCH('/api/v1/users/{user}', { ...at, body } as never)
      say(said)
    } finally {
      await read()
    }
  }
  const edit = async (field: (name: string) => string) => {
    const body = changed({ displayName: user.displayName ?? '', role: user.role }, { displayName: field('displayName'), role: field('role') as Role })
    if (body) await change(body, `${user.name} was changed.`)
  }
  const setPassword = async (field: (name: string) => string) => {
    await api.POST('/api/v1/users/{user}/password', { params: { path: { user: user.id } }, body: { password: field('password') } })
    say(`${user.name} has a new password and was signed out everywhere.`)
  }
  const remove = async () => {
    await api.DELETE('/api/v1/users/{user}', at as never)
    gone.current = true
    say(`${user.name} was deleted.`)
    void read()
  }
  const { verb } = dialog
  return (
    <>
      <Drawer
        opened={verb === undefined}
        onClose={() => dialog.go({})}
        title={<bdi>{user.name}</bdi>}
        actions={
          <div className={classes.drawerActions}>
            <PermitButton permit={user.can?.['update']} onClick={() => dialog.go({ do: 'edit', open: user.id })}>Edit</PermitButton>
            {!mine && <PermitButton variant="default" permit={user.can?.['password']} onClick={() => dialog.go({ do: 'password', open: user.id })}>Set password</PermitButton>}
            <PermitButton variant="default" permit={mine ? { allowed: false, reason: 'You cannot shut yourself out.' } : user.can?.['update']} onClick={() => dialog.go({ do: 'disable', open: user.id })}>{user.disabled ? 'Enable' : 'Disable'}</PermitButton>
            <PermitButton variant="default" permit={mine ? { allowed: false, reason: 'Another administrator can delete you.' } : user.can?.['delete']} onClick={() => dialog.go({ do: 'delete', open: user.id })}>Delete…</PermitButton>
          </div>
        }
      >
        <Facts>
          <Fact label="Full name"><bdi>{user.displayName}</bdi></Fact>
          <Fact label="Role">{roleName(user.role)}: {roles.find(({ value }) => value === user.role)?.means}</Fact>
          <Fact label="Sign-in">{user.disabled ? 'disabled' : 'allowed'}</Fact>
          <Fact label="Last sign-in">{user.lastLoginAt ? <Time at={user.lastLoginAt} /> : 'never'}</Fact>
          <Fact label="Made"><Time at={user.createdAt} /></Fact>
        </Facts>
      </Drawer>
      <FormDialog opened={verb === 'edit'} onClose={back} title={`Edit ${user.name}`} action={`Save ${user.name}`} onSubmit={edit}>
        <TextInput name="displayName" label="Full name" defaultValue={user.displayName} autoComplete="off" data-autofocus />
        <RoleSelect role={user.role} />
      </FormDialog>
      <FormDialog opened={verb === 'password'} onClose={back} title={`Set the password of ${user.name}`} action={`Set the password of ${user.name}`} onSubmit={setPassword}>
        <PasswordInput name="password" label="New password" description="All their sessions end." required withAsterisk={false} autoComplete="new-password" data-autofocus />
      </FormDialog>
      <Confirm
        level={2}
        opened={verb === 'disable'}
        onClose={back}
        verb={user.disabled ? 'Enable' : 'Disable'}
        object={user.name}
        consequences={user.disabled ? ['They can sign in again, with the grants they had.'] : ['Their sessions and tokens stop working at once.', 'Their grants are kept and work again once they are enabled.']}
        onConfirm={() => change({ disabled: !user.disabled }, user.disabled ? `${user.name} can sign in again.` : `${user.name} can no longer sign in.`)}
      />
      <Confirm
        level={3}
        type={user.name}
        opened={verb === 'delete'}
        onClose={() => (gone.current ? dialog.go({}) : back())}
        verb="Delete"
        object={user.name}
        consequences={['Their sessions, tokens, grants and memberships are deleted too.', 'What they did stays in the audit log.', 'It cannot be undone. To keep somebody out for a while, disable them.']}
        onConfirm={remove}
      />
    </>
  )
}
