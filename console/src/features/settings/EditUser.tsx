import { TextInput } from '@mantine/core'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { EditDialog, type EditField } from './EditDialog'
import { type Role, roleName, type User } from './people'
import { RoleSelect } from './RoleSelect'

const editable: readonly EditField<'displayName' | 'role'>[] = [
  { key: 'displayName', label: 'Full name', draw: (name) => <TextInput name="displayName" label="Full name" defaultValue={name} autoComplete="off" data-autofocus /> },
  { key: 'role', label: 'Role', words: (role) => roleName(role as Role), draw: (role) => <RoleSelect role={role as Role} /> },
]

interface EditUserProps {
  user: User
  opened: boolean
  onClose: () => void
  /** Sends a change under a revision, and says something once it is stored. */
  save: (change: Schemas['UserChange'], said: string, rev: number) => Promise<void>
}

/** Changes a user's full name and role. */
export function EditUser({ user, opened, onClose, save }: EditUserProps) {
  const api = useApi()
  return (
    <EditDialog
      opened={opened}
      onClose={onClose}
      title={`Edit ${user.name}`}
      action={`Save ${user.name}`}
      object={user}
      fields={editable}
      valuesOf={({ displayName = '', role }) => ({ displayName, role })}
      read={async () => bodyOf(await api.GET('/api/v1/users/{user}', { params: { path: { user: user.id } } }))}
      save={({ rev }, difference) => save(difference as Schemas['UserChange'], `${user.name} was changed.`, rev)}
    />
  )
}
