import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { asProblem, type Problem } from '../api/problem'
import { createAdministrator, type Health, health, unseal } from '../api/session'
import { useForm } from '../ui/form'
import { sentence } from '../ui/format'
import { LoginForm } from '../ui/LoginForm'
import { PlainPage } from '../ui/Page'
import { ProblemView } from '../ui/ProblemView'
import { Time } from '../ui/Time'

/** Only a path of this console is followed after a login. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !/^\/(?![/\\])/.test(next)) return '/'
  const url = new URL(next, location.origin)
  return url.origin === location.origin ? url.pathname + url.search : '/'
}

export function LoginPage({ onDone }: { onDone: () => void }) {
  return (
    <PlainPage title="Sign in">
      <LoginForm onDone={onDone} />
    </PlainPage>
  )
}

export function SetupPage({ token, onDone }: { token: string; onDone: () => void }) {
  const [mismatch, setMismatch] = useState(false)
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const same = field('password') === field('again')
    setMismatch(!same)
    if (!same) return
    await createAdministrator(token, field('name'), field('password'))
    onDone()
  })
  if (token === '') {
    return (
      <PlainPage title="Set up Keyturn">
        <p>This page needs the one-time link that the server printed when it first started. Open that link.</p>
      </PlainPage>
    )
  }
  return (
    <PlainPage title="Set up Keyturn">
      <p>Make the first administrator. The link works once.</p>
      <form onSubmit={onSubmit}>
        <Stack gap="md">
          {problem && <ProblemView problem={problem} />}
          <TextInput name="name" label="Name" autoComplete="username" required withAsterisk={false} autoCapitalize="none" spellCheck={false} />
          <PasswordInput name="password" label="Password" autoComplete="new-password" required withAsterisk={false} />
          <PasswordInput name="again" label="Password again" autoComplete="new-password" required withAsterisk={false} error={mismatch && 'The two are not equal'} />
          <Button type="submit" loading={busy}>Make the administrator</Button>
        </Stack>
      </form>
    </PlainPage>
  )
}

export function SealedPage({ onOpen }: { onOpen: () => void }) {
  const [state, setState] = useState<Health>()
  const [failure, setFailure] = useState<Problem>()
  const { busy, problem, onSubmit } = useForm(async (field) => {
    await unseal(field('passphrase'))
    onOpen()
  })
  const check = (signal?: AbortSignal) =>
    health(signal).then(
      (next) => {
        setFailure(undefined)
        setState(next)
      },
      (error: unknown) => {
        if (!signal?.aborted) setFailure(asProblem(error))
      },
    )
  useEffect(() => {
    const leaving = new AbortController()
    void check(leaving.signal)
    return () => leaving.abort()
  }, [])
  if (state && !state.sealed) {
    return (
      <PlainPage title="Keyturn is open">
        <Button onClick={onOpen}>Go on</Button>
      </PlainPage>
    )
  }
  return (
    <PlainPage title={state ? 'Keyturn is sealed' : 'Is Keyturn sealed?'}>
      <Stack gap="md">
        {state && <p>Nothing can be read or changed until it is unsealed. Clusters keep running.</p>}
        {state?.cause && <p><b>Why:</b> {sentence(state.cause)}{state.since && <> Since <Time at={state.since} as="exact" />.</>}</p>}
        {state?.cure && <p><b>What to do now:</b> {sentence(state.cure)}</p>}
        {failure && <ProblemView problem={failure} />}
        {problem && <ProblemView problem={problem} />}
        {state?.passphrase && (
          <form onSubmit={onSubmit}>
            <Stack gap="md">
              <PasswordInput name="passphrase" label="Passphrase" autoComplete="off" required withAsterisk={false} />
              <Button type="submit" loading={busy}>Unseal</Button>
            </Stack>
          </form>
        )}
        <Button variant="default" onClick={() => void check()}>Check again</Button>
      </Stack>
    </PlainPage>
  )
}

export function NotFoundPage() {
  return (
    <PlainPage title="No such page">
      <p>There is nothing at this address, or you may not see it.</p>
      <Button mt="md" component={Link} to="/">Go to the overview</Button>
    </PlainPage>
  )
}

export function FailedPage({ error }: { error: unknown }) {
  const problem = asProblem(error)
  return (
    <PlainPage title={problem.fields.title}>
      <ProblemView problem={problem} />
      <Button mt="md" onClick={() => location.reload()}>Reload</Button>
    </PlainPage>
  )
}
