import { Select } from '@mantine/core'
import { type Role, roles } from './people'
import classes from './Settings.module.css'

/** The field of a role, each with what it means. */
export function RoleSelect({ role }: { role: Role }) {
  return (
    <Select
      name="role"
      label="Role"
      data={roles.map(({ value, label }) => ({ value, label }))}
      defaultValue={role}
      allowDeselect={false}
      renderOption={({ option }) => <div><div>{option.label}</div><div className={classes.muted}>{roles.find(({ value }) => value === option.value)?.means}</div></div>}
    />
  )
}
