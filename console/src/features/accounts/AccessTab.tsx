import { Autocomplete, Button, Group, Modal, Select, Stack } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { bodyOf, type Schemas, useApi, useMay } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { EmptyState } from '../../ui/EmptyState'
import { useForm } from '../../ui/form'
import { ProblemView } from '../../ui/ProblemView'
import { Time } from '../../ui/Time'
import { fieldError } from '../resources/fields'
import { useRead } from '../resources/named'
import { ListBar } from '../../ui/ListBar'
import { Offer } from '../../ui/Offer'
import classes from '../resources/parts.module.css'
import { Loaded } from '../resources/Waiting'
import type { Account } from './account'

type Grant = Schemas['Grant']

export const levels: readonly { value: Grant['level']; label: string }[] = [
  { value: 'view', label: 'view: see it, not its value' },
  { value: 'use', label: 'use: verify and reset it' },
  { value: 'reveal', label: 'reveal: also see its value' },
  { value: 'manage', label: 'manage: also change, map and share it' },
]
const ends = [
  { value: '', label: 'no end' },
  { value: '1', label: '1 day' },
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
]

/** The standing rights on this account itself. Grants on its resource, and roles, reach it too. */
export function AccessTab({ account }: { account: Account }) {
  const api = useApi()
  const client = useQueryClient()
  const [adding, setAdding] = useState(false)
  const [ending, setEnding] = useState<Grant>()
  const key = [...keys.lists('grant'), account.id]
  const grants = useRead(key, async (signal) =>
    bodyOf(await api.GET('/api/v1/grants', { params: { query: { objectKind: 'account', object: account.id } }, signal })))
  const remove = async () => {
    if (!ending) return
    await api.DELETE('/api/v1/grants/{grant}', { params: { path: { grant: ending.id }, header: ifMatch(`"${ending.rev}"`) } })
    void client.invalidateQueries({ queryKey: keys.lists('grant') })
  }
  return (
    <>
      <Loaded of={grants}>
        {({ items, can }) => {
          const add = <Offer may={can?.['create']} onClick={() => setAdding(true)}>Add a grant</Offer>
          return (items ?? []).length === 0 ? (
            <EmptyState empty={{ why: 'first', title: 'No grants on this account', text: 'Administrators reach it by their role, others through grants on its resource. A grant here is for this account alone.', action: add }} />
          ) : (
            <>
              <ListBar><p className={classes.note}>Grants on this account alone. Roles, and grants on {account.resourceName}, reach it too.</p>{add}</ListBar>
              <Rows grants={items ?? []} onEnd={setEnding} />
            </>
          )
        }}
      </Loaded>
      <Modal opened={adding} onClose={() => setAdding(false)} title={`Grant on ${account.name}`} centered size={520} closeButtonProps={{ 'aria-label': 'Close' }}>
        <Add account={account} onClose={() => setAdding(false)} />
      </Modal>
      <Confirm
        opened={ending !== undefined}
        onClose={() => setEnding(undefined)}
        level={2}
        verb="Take back"
        object={ending ? `${ending.level} from ${ending.subjectName}` : ''}
        consequences={[`${ending?.subjectKind === 'group' ? 'Everyone in the group' : 'They'} may at once no longer ${ending?.level} ${account.name} by this grant.`, 'Other grants and roles stay.']}
        onConfirm={remove}
      />
    </>
  )
}

function Rows({ grants, onEnd }: { grants: readonly Grant[]; onEnd: (grant: Grant) => void }) {
  return (
    <table className={classes.table}>
      <thead>
        <tr><th scope="col">Who</th><th scope="col">May</th><th scope="col">Until</th><th scope="col">Given by</th><th scope="col">When</th><th scope="col"><span className={classes.spoken}>Actions</span></th></tr>
      </thead>
      <tbody>
        {grants.map((grant) => (
          <tr key={grant.id}>
            <td><b><bdi>{grant.subjectName}</bdi></b> <span className={classes.muted}>{grant.subjectKind}</span></td>
            <td data-label="May">{grant.level}</td>
            <td data-label="Until">{grant.expiresAt ? <Time at={grant.expiresAt} /> : <span className={classes.muted}>no end</span>}</td>
            <td data-label="Given by"><bdi>{grant.grantedBy}</bdi></td>
            <td data-label="When"><Time at={grant.createdAt} /></td>
            <td data-end=""><Offer may={grant.can?.['delete']} size="compact-sm" label={`Take back ${grant.level} from ${grant.subjectName}…`} onClick={() => onEnd(grant)}>Take back…</Offer></td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Add({ account, onClose }: { account: Account; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const [kind, setKind] = useState<'user' | 'group'>('user')
  const mayUsers = useMay('user.list').allowed
  const mayGroups = useMay('group.list').allowed
  const users = useRead([...keys.lists('user'), 'names'], async (signal) => (bodyOf(await api.GET('/api/v1/users', { signal })).items ?? []).map(({ name }) => name), mayUsers)
  const groups = useRead([...keys.lists('user'), 'groups'], async (signal) => (bodyOf(await api.GET('/api/v1/groups', { signal })).items ?? []).map(({ name }) => name), mayGroups)
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const days = Number(field('days'))
    await api.POST('/api/v1/grants', {
      body: {
        subjectKind: kind,
        subjectId: field('subject').trim(),
        objectKind: 'account',
        objectId: account.id,
        level: field('level') as Grant['level'],
        expiresAt: days > 0 ? new Date(Date.now() + days * 86_400_000).toISOString() : undefined,
      },
    })
    void client.invalidateQueries({ queryKey: keys.lists('grant') })
    onClose()
  })
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="md">
        {problem && <ProblemView problem={problem} />}
        <Select label="To a" data={['user', 'group']} value={kind} onChange={(next) => setKind(next === 'group' ? 'group' : 'user')} allowDeselect={false} />
        <Autocomplete key={kind} name="subject" label="Name" data={(kind === 'user' ? users.data : groups.data) ?? []} required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus error={fieldError(problem, 'subjectId')} />
        <Select name="level" label="May" data={[...levels]} defaultValue="view" allowDeselect={false} />
        <Select name="days" label="For" data={ends} defaultValue="" allowDeselect={false} error={fieldError(problem, 'expiresAt')} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" loading={busy}>Add the grant</Button>
        </Group>
      </Stack>
    </form>
  )
}
