import { MultiSelect } from '@mantine/core'
import { useUsers } from './memberIds'

/** The field of a group's members. */
export function Members({ chosen }: { chosen: readonly string[] }) {
  const users = useUsers()
  const data = (users.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))
  return <MultiSelect name="members" label="Members" data={data} defaultValue={[...chosen]} searchable clearButtonProps={{ 'aria-label': 'Remove all members' }} nothingFoundMessage="No such user" />
}
