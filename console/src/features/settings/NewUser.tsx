import { PasswordInput, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useApi } from '../../app/api'
import { useToast } from '../../ui/say'
import { FormDialog } from './FormDialog'
import { settingsKeys } from './keys'
import type { Role } from './people'
import { RoleSelect } from './RoleSelect'

/** Makes a user with a first password. */
export function NewUser({ opened, onClose }: { opened: boolean; onClose: () => void }) {
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
