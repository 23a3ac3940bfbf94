import { PasswordInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useRef } from 'react'
import { ifMatch } from '../../api/client'
import { type Schemas, useApi, useMay, useWho } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { Drawer } from '../../ui/Drawer'
import { Fact, Facts } from '../../ui/Fact'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { FormDialog } from './FormDialog'
import { settingsKeys } from './keys'
import { roleName, roles, type User } from './people'
import { EndSession, Sessions } from './Sessions'
import classes from './Settings.module.css'
import type { useDialog } from './useDialog'

const EditUser = lazy(() => import('./EditUser').then((m) => ({ default: m.EditUser })))

/** A user beside the list, and what can be done with them. */
export function OneUser({ user, dialog }: { user: User; dialog: ReturnType<typeof useDialog> }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const who = useWho()
  const mayList = useMay('session.list').allowed
  const gone = useRef(false)
  const mine = who.user.id === user.id
  const path = { user: user.id }
  const back = () => dialog.go({ open: user.id })
  const read = () => client.invalidateQueries({ queryKey: settingsKeys.users })
  /** A change of somebody whom another changed meanwhile is refused; what is true is read then too. */
  const change = async (body: Schemas['UserChange'], said: string, rev = user.rev) => {
    try {
      await api.PATCH('/api/v1/users/{user}', { params: { path, header: ifMatch(`"${rev}"`) }, body })
      say(said)
    } finally {
      await read()
    }
  }
  const setPassword = async (field: (name: string) => string) => {
    await api.POST('/api/v1/users/{user}/password', { params: { path }, body: { password: field('password') } })
    say(`${user.name} has a new password and was signed out everywhere.`)
  }
  const remove = async () => {
    await api.DELETE('/api/v1/users/{user}', { params: { path, header: ifMatch(`"${user.rev}"`) } })
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
            <Offer variant="filled" may={user.can?.['update']} onClick={() => dialog.go({ do: 'edit', open: user.id })}>Edit</Offer>
            {!mine && <Offer variant="default" may={user.can?.['password']} onClick={() => dialog.go({ do: 'password', open: user.id })}>Set password</Offer>}
            <Offer variant="default" may={mine ? { allowed: false, reason: 'You cannot shut yourself out.' } : user.can?.['update']} onClick={() => dialog.go({ do: 'disable', open: user.id })}>{user.disabled ? 'Enable' : 'Disable'}</Offer>
            <Offer variant="default" may={mine ? { allowed: false, reason: 'Another administrator can delete you.' } : user.can?.['delete']} onClick={() => dialog.go({ do: 'delete', open: user.id })}>Delete…</Offer>
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
        {mayList && (
          <section className={classes.drawerPart} aria-labelledby="user-sessions">
            <h2 id="user-sessions">Signed in</h2>
            <Sessions user={user.id} label={`Sessions of ${user.name}`} onEnd={({ id }) => dialog.go({ do: 'end', open: user.id, session: id })} />
          </section>
        )}
      </Drawer>
      <Suspense>
        <EditUser user={user} opened={verb === 'edit'} onClose={back} save={change} />
      </Suspense>
      <EndSession user={user.id} session={dialog.session} opened={verb === 'end'} onClose={back} />
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
