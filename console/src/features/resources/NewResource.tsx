import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { useForm } from '../../ui/form'
import { ProblemView } from '../../ui/ProblemView'
import { fieldError, settingsOf } from './fields'
import { useRead } from './named'
import classes from './parts.module.css'
import { readTypes } from './resource'
import { SettingsFields } from './SettingsFields'
import { throughOf, type Way } from './way'
import { WayFields } from './WayFields'
import { Loaded } from './Waiting'
import { resourcePlace } from './PlaceLink'

/** The dialog that makes a resource and opens its page. */
export function NewResource({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const api = useApi()
  const types = useRead([...keys.lists('resource'), 'types'], (signal) => readTypes(api, signal), opened)
  return (
    <Modal opened={opened} onClose={onClose} title="New resource" centered size={640} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Loaded of={types}>{(all) => <Form types={all} onClose={onClose} />}</Loaded>
    </Modal>
  )
}

function Form({ types, onClose }: { types: readonly Schemas['Type'][]; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [chosen, setChosen] = useState(types[0]?.type ?? '')
  const [way, setWay] = useState<Way>()
  const type = types.find((one) => one.type === chosen)
  const choose = (next: string | null) => {
    setChosen(next ?? chosen)
    // What is inside of a cluster is said in other words for each type.
    setWay(undefined)
  }
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const name = field('name').trim()
    const settings = settingsOf(type?.fields ?? [], field)
    const made = bodyOf(await api.POST('/api/v1/resources', { body: { name, type: chosen, settings, ...(way && { through: throughOf(way) }) } }))
    void client.invalidateQueries({ queryKey: keys.lists('resource') })
    await navigate(resourcePlace(made.name) as never)
  })
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="md">
        {problem && <ProblemView problem={problem} />}
        <TextInput name="name" label="Name" required withAsterisk={false} maxLength={253} autoComplete="off" autoCapitalize="none" spellCheck={false} autoFocus data-autofocus error={fieldError(problem, 'name')} />
        <Select label="Type" data={types.map((one) => ({ value: one.type, label: one.name }))} value={chosen} onChange={choose} allowDeselect={false} />
        {type && <p className={classes.note}>{type.description}</p>}
        {type && <SettingsFields key={type.type} fields={type.fields ?? []} values={{}} problem={problem} />}
        {type && <WayFields type={type} way={way} onChange={setWay} problem={problem} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" loading={busy}>Make the resource</Button>
        </Group>
      </Stack>
    </form>
  )
}
