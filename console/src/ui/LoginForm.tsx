import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useState } from 'react'
import { asProblem } from '../api/problem'
import { signIn } from '../api/session'
import { useForm } from './form'
import { ProblemView } from './ProblemView'

export interface LoginFormProps {
  /** Called with the name that signed in. */
  onDone: (name: string) => void
  /** Who was here before; can be changed. */
  name?: string
}

/** Name, password, and a second factor when the server wants one. */
export function LoginForm({ onDone, name }: LoginFormProps) {
  const [second, setSecond] = useState(false)
  const { busy, problem, onSubmit } = useForm(async (field) => {
    try {
      await signIn({ name: field('name'), password: field('password'), code: field('code') || undefined })
      onDone(field('name'))
    } catch (error) {
      if (asProblem(error).kind === 'second-factor-required') setSecond(true)
      else throw error
    }
  })
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="md">
        {problem && <ProblemView problem={problem} />}
        <TextInput name="name" label="Name" defaultValue={name} autoComplete="username" required withAsterisk={false} autoCapitalize="none" spellCheck={false} />
        <PasswordInput name="password" label="Password" autoComplete="current-password" required withAsterisk={false} />
        {second && <TextInput name="code" label="Second factor" description="Six digits from your app" inputMode="numeric" autoComplete="one-time-code" required withAsterisk={false} />}
        <Button type="submit" loading={busy}>Sign in</Button>
      </Stack>
    </form>
  )
}
