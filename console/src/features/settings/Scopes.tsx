import { MultiSelect } from '@mantine/core'
import { useWho } from '../../app/api'
import { scopesOf } from './people'

/** What a new token may do, for a form. */
export function Scopes() {
  const who = useWho()
  return (
    <MultiSelect
      name="scopes"
      label="May do"
      description="All is *. Making users, grants and tokens is not in it: name these if they are needed."
      data={scopesOf(Object.keys(who.can))}
      defaultValue={['*']}
      searchable
      clearButtonProps={{ 'aria-label': 'Remove all scopes' }}
      nothingFoundMessage="No such operation"
    />
  )
}
