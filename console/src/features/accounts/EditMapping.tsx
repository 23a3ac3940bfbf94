import { useQueryClient } from '@tanstack/react-query'
import { ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useToast } from '../../ui/say'
import { EditDialog } from '../settings/EditDialog'
import type { Mapping } from './account'
import { type OnWrite, onWriteOf } from './onWrite'
import { OnWriteChoice } from './OnWriteChoice'

const valuesOf = ({ onWrite }: Mapping): Record<'onWrite', string> => ({ onWrite })

/** Changes what a run does with what reads a mapped key. */
export function EditMapping({ mapping, opened, onClose }: { mapping: Mapping; opened: boolean; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const path = { mapping: mapping.id }
  const name = `${mapping.namespace}/${mapping.secret}: ${mapping.key}`
  const save = async ({ rev }: Mapping, { onWrite = mapping.onWrite }: Partial<Record<'onWrite', string>>) => {
    try {
      await api.PATCH('/api/v1/mappings/{mapping}', { params: { path, header: ifMatch(`"${rev}"`) }, body: { onWrite: onWrite as OnWrite } })
      say(`${name} was changed.`)
    } finally {
      void client.invalidateQueries({ queryKey: keys.lists('mapping') })
      void client.invalidateQueries({ queryKey: keys.one('mapping', mapping.id) })
    }
  }
  return (
    <EditDialog
      opened={opened}
      onClose={onClose}
      title={`Edit ${name}`}
      action="Save the mapping"
      object={mapping}
      fields={[{ key: 'onWrite', label: 'After a reset', words: (word) => onWriteOf(word as OnWrite)?.label ?? word, draw: (word) => <OnWriteChoice name="onWrite" defaultValue={word} /> }]}
      valuesOf={valuesOf}
      read={async () => bodyOf(await api.GET('/api/v1/mappings/{mapping}', { params: { path } }))}
      save={save}
    />
  )
}
