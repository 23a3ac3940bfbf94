import { Select, Textarea, TextInput } from '@mantine/core'
import type { Problem } from '../../api/problem'
import type { Schemas } from '../../app/api'
import { fieldError } from './fields'

export interface SettingsFieldsProps {
  fields: readonly Schemas['Field'][]
  values: Readonly<Record<string, string>>
  problem: Problem | undefined
  readOnly?: boolean
}

/** The settings of a resource, as its type describes them. Their names in the form are the server's. */
export function SettingsFields({ fields, values, problem, readOnly }: SettingsFieldsProps) {
  return fields.map((field) => {
    const common = {
      name: field.name,
      label: field.label,
      description: field.help,
      error: fieldError(problem, field.name),
      required: field.required,
      withAsterisk: false,
      readOnly,
      defaultValue: values[field.name] ?? field.default ?? '',
    }
    if (field.kind === 'choice') return <Select key={field.name} {...common} data={field.options ?? []} allowDeselect={false} />
    if (field.kind === 'pem') return <Textarea key={field.name} {...common} autosize minRows={3} maxRows={10} spellCheck={false} wrap="off" />
    return <TextInput key={field.name} {...common} inputMode={field.kind === 'port' ? 'numeric' : undefined} autoComplete="off" autoCapitalize="none" spellCheck={false} />
  })
}
