import { Button, PasswordInput } from '@mantine/core'
import { useRef, useState } from 'react'
import { Problem } from '../../api/problem'
import { useApi, useWho } from '../../app/api'
import { Fact, Facts } from '../../ui/Fact'
import { useForm } from '../../ui/form'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { roles } from './people'
import { EndSession, Sessions } from './Sessions'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

/** Who is signed in, for how long, and the own password. */
export function Own() {
  const { user, kind, expiresAt, idleUntil } = useWho()
  const dialog = useDialog()
  return (
    <div className={classes.panels}>
      <section className={classes.panel} aria-labelledby="own-session">
        <h2 id="own-session">This session</h2>
        <Facts>
          <Fact label="Signed in as"><bdi>{user.name}</bdi>{user.displayName && <> (<bdi>{user.displayName}</bdi>)</>}</Fact>
          <Fact label="Role">{roles.find(({ value }) => value === user.role)?.label}: {roles.find(({ value }) => value === user.role)?.means}</Fact>
          <Fact label="Ends">{expiresAt ? <Time at={expiresAt} /> : 'with the sign-out'}</Fact>
          <Fact label="Ends when idle">{idleUntil ? <Time at={idleUntil} /> : 'does not end'}</Fact>
        </Facts>
      </section>
      {kind === 'user' && (
        <section className={classes.panel} aria-labelledby="own-sessions">
          <h2 id="own-sessions">Where you are signed in</h2>
          <Sessions user={user.id} label="Your sessions" onEnd={({ id }) => dialog.go({ do: 'end', session: id })} />
          <EndSession user={user.id} session={dialog.session} opened={dialog.verb === 'end'} onClose={() => dialog.go({})} />
        </section>
      )}
      <section className={classes.panel} aria-labelledby="own-password">
        <h2 id="own-password">Password</h2>
        <p>A new password ends all your other sessions. API tokens keep working until they are revoked.</p>
        <OwnPassword user={user.id} />
      </section>
    </div>
  )
}

function OwnPassword({ user }: { user: string }) {
  const api = useApi()
  const say = useToast()
  const form = useRef<HTMLFormElement>(null)
  const [mismatch, setMismatch] = useState(false)
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const same = field('password') === field('again')
    setMismatch(!same)
    if (!same) return
    await api.POST('/api/v1/users/{user}/password', { params: { path: { user } }, body: { current: field('current'), password: field('password') } })
    form.current?.reset()
    say('Your password was changed. Your other sessions ended.')
  })
  return (
    <form ref={form} onSubmit={onSubmit} className={classes.form}>
      {problem && <ProblemView problem={readable(problem)} />}
      <PasswordInput name="current" label="Current password" autoComplete="current-password" required withAsterisk={false} />
      <PasswordInput name="password" label="New password" autoComplete="new-password" required withAsterisk={false} />
      <PasswordInput name="again" label="New password again" autoComplete="new-password" required withAsterisk={false} error={mismatch && 'The two are not equal'} />
      <div><Button type="submit" loading={busy}>Change password</Button></div>
    </form>
  )
}

/** What the fields lack is said in the box too. */
function readable(problem: Problem): Problem {
  const { errors, detail } = problem.fields
  return errors === undefined || errors.length === 0 ? problem : new Problem({ ...problem.fields, detail: [detail, ...errors.map(({ message }) => message)].filter(Boolean).join(' ') })
}
