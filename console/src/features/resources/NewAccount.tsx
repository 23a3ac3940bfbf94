import { Button, Group, Modal, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useForm } from '../../ui/form'
import { ProblemView } from '../../ui/ProblemView'
import { fieldError } from './fields'
import classes from './parts.module.css'
import { type Resource, useType } from './resource'
import { accountPlace } from './PlaceLink'

/** The dialog that makes an account on a resource and opens its page. */
export function NewAccount({ resource, opened, onClose }: { resource: Resource; opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={`New account on ${resource.name}`} centered size={520} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Form resource={resource} onClose={onClose} />
    </Modal>
  )
}

function Form({ resource, onClose }: { resource: Resource; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const ofCluster = useType(resource.type)?.ofCluster
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const value = field('value')
    const made = bodyOf(
      await api.POST('/api/v1/resources/{resource}/accounts', {
        params: { path: { resource: resource.id } },
        body: { name: field('name').trim(), value: value === '' ? undefined : value },
      }),
    )
    void client.invalidateQueries({ queryKey: keys.lists('account') })
    void client.invalidateQueries({ queryKey: keys.one('resource', resource.id) })
    await navigate(accountPlace({ resourceName: resource.name, accountName: made.name }) as never)
  })
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="md">
        {problem && <ProblemView problem={problem} />}
        <TextInput name="name" label="Name" description={ofCluster ? 'The ServiceAccount’s name.' : 'The login’s name on the system.'} required withAsterisk={false} maxLength={253} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus error={fieldError(problem, 'name')} />
        {!ofCluster && <PasswordInput name="value" label="Password" description="The one that works now. It may be left out: a Secret key or a reset then gives the first." autoComplete="new-password" error={fieldError(problem, 'value')} />}
        <p className={classes.note}>{ofCluster ? 'The cluster makes its tokens. Associate the key token of its Secret next: that token becomes the account’s value.' : 'The system itself is not touched.'}</p>
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" loading={busy}>Make the account</Button>
        </Group>
      </Stack>
    </form>
  )
}
