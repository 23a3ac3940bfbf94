import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useRef } from 'react'
import { ifMatch } from '../../api/client'
import { useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { Drawer } from '../../ui/Drawer'
import { Fact, Facts } from '../../ui/Fact'
import { count } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { settingsKeys } from './keys'
import type { Group } from './people'
import classes from './Settings.module.css'
import type { useDialog } from './useDialog'

const EditGroup = lazy(() => import('./EditGroup').then((m) => ({ default: m.EditGroup })))

/** A group beside the list, and what can be done with it. */
export function OneGroup({ group, dialog }: { group: Group; dialog: ReturnType<typeof useDialog> }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const gone = useRef(false)
  const members = group.members ?? []
  const path = { group: group.id }
  const back = () => dialog.go({ open: group.id })
  const read = () => client.invalidateQueries({ queryKey: settingsKeys.groups })
  const remove = async () => {
    await api.DELETE('/api/v1/groups/{group}', { params: { path, header: ifMatch(`"${group.rev}"`) } })
    gone.current = true
    say(`${group.name} was deleted.`)
    void read()
  }
  return (
    <>
      <Drawer
        opened={dialog.verb === undefined}
        onClose={() => dialog.go({})}
        title={<bdi>{group.name}</bdi>}
        actions={
          <div className={classes.drawerActions}>
            <Offer variant="filled" may={group.can?.['update']} onClick={() => dialog.go({ do: 'edit', open: group.id })}>Edit</Offer>
            <Offer variant="default" may={group.can?.['delete']} onClick={() => dialog.go({ do: 'delete', open: group.id })}>Delete…</Offer>
          </div>
        }
      >
        <Facts>
          <Fact label="Purpose"><bdi>{group.description}</bdi></Fact>
          <Fact label="Members">{members.length === 0 ? 'none' : <bdi>{members.map(({ name }) => name).join(', ')}</bdi>}</Fact>
          <Fact label="Made"><Time at={group.createdAt} /></Fact>
        </Facts>
      </Drawer>
      <Suspense>
        <EditGroup group={group} opened={dialog.verb === 'edit'} onClose={back} />
      </Suspense>
      <Confirm
        level={3}
        type={group.name}
        opened={dialog.verb === 'delete'}
        onClose={() => (gone.current ? dialog.go({}) : back())}
        verb="Delete"
        object={group.name}
        consequences={[`${count(members.length)} ${members.length === 1 ? 'member loses' : 'members lose'} what was granted to the group.`, 'The grants of the group are deleted too. It cannot be undone.']}
        onConfirm={remove}
      />
    </>
  )
}
