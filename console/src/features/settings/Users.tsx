import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import type { Column } from '../../ui/columns'
import { count } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { Offer } from '../../ui/Offer'
import { Time } from '../../ui/Time'
import { settingsKeys } from './keys'
import { roleName, type User } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

// Loaded after the list.
const NewUser = lazy(() => import('./NewUser').then((m) => ({ default: m.NewUser })))
const OneUser = lazy(() => import('./OneUser').then((m) => ({ default: m.OneUser })))

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
        <Offer variant="filled" may={query.data?.can?.['create']} onClick={() => dialog.go({ do: 'new' })}>Make a user</Offer>
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
      <Suspense>
        <NewUser opened={dialog.verb === 'new'} onClose={() => dialog.go({})} />
        {shown && <OneUser user={shown} dialog={dialog} />}
      </Suspense>
    </>
  )
}
