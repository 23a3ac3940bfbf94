import { TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { ifMatch } from '../../api/client'
import { bodyOf, useApi } from '../../app/api'
import { useToast } from '../../ui/say'
import { EditDialog } from './EditDialog'
import { settingsKeys } from './keys'
import { idsOf, sorted, useUsers } from './memberIds'
import { Members } from './Members'
import type { Group } from './people'

type Editable = 'name' | 'description' | 'members'

const valuesOf = ({ name, description = '', members }: Group): Record<Editable, string> => ({ name, description, members: sorted((members ?? []).map(({ id }) => id).join(',')) })

/** Changes a group's name, purpose and members. */
export function EditGroup({ group, opened, onClose }: { group: Group; opened: boolean; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const path = { group: group.id }
  const users = useUsers()
  const namesOf = (ids: string) => idsOf(ids).map((id) => [...(users.data?.items ?? []), ...(group.members ?? [])].find((user) => user.id === id)?.name ?? id).join(', ')
  const save = async ({ rev }: Group, { members: ids, ...texts }: Partial<Record<Editable, string>>) => {
    try {
      await api.PATCH('/api/v1/groups/{group}', { params: { path, header: ifMatch(`"${rev}"`) }, body: { ...texts, ...(ids !== undefined && { members: idsOf(ids) }) } })
      say(`${texts.name ?? group.name} was changed.`)
    } finally {
      await client.invalidateQueries({ queryKey: settingsKeys.groups })
    }
  }
  return (
    <EditDialog
      opened={opened}
      onClose={onClose}
      title={`Edit ${group.name}`}
      action={`Save ${group.name}`}
      object={group}
      fields={[
        { key: 'name', label: 'Name', draw: (name) => <TextInput name="name" label="Name" defaultValue={name} required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus /> },
        { key: 'description', label: 'Purpose', draw: (text) => <TextInput name="description" label="Purpose" defaultValue={text} autoComplete="off" /> },
        { key: 'members', label: 'Members', typed: sorted, words: namesOf, draw: (ids) => <Members chosen={idsOf(ids)} /> },
      ]}
      valuesOf={valuesOf}
      read={async () => bodyOf(await api.GET('/api/v1/groups/{group}', { params: { path } }))}
      save={save}
    />
  )
}
