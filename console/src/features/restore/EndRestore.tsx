import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { count } from '../../ui/format'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import { type Restore, unsettled } from './restore'

const named = 5

/** What follows when the restore is ended, one line each. */
export function endedLines(restore: Restore): string[] {
  const open = unsettled(restore)
  const lines = ['Rotations, schedules and writes to clusters go on, with what is known now.']
  if (open.length > 0) {
    const names = open.slice(0, named).map(({ name }) => name).join(', ')
    const more = open.length > named ? ` and ${count(open.length - named)} more` : ''
    lines.push(`Of ${count(open.length)} ${open.length === 1 ? 'account' : 'accounts'} the stored value is accepted though nobody knows whether it is right: ${names}${more}.`)
  }
  lines.push('That, and what the audit log has lost, is recorded with your name.')
  return lines
}

/** Ends a restore, with what could not be found out. */
export function EndRestore({ restore }: { restore: Restore }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const may = useMay('restore.accept')
  const [asked, setAsked] = useState(false)
  const left = restore.counts['to_check'] ?? 0
  const open = unsettled(restore)
  const accept = async () => {
    try {
      bodyOf(await api.POST('/api/v1/restore/accept', { body: { accounts: open.map(({ id }) => id) } }))
      say('The restore is ended; everything goes on.')
    } finally {
      await client.invalidateQueries({ queryKey: keys.lists('restore') }) // also after a lost answer
    }
  }
  const allowed = may.allowed && left > 0 ? { allowed: false, reason: `${count(left)} ${left === 1 ? 'account was' : 'accounts were'} not checked yet.` } : may
  const common = { opened: asked, onClose: () => setAsked(false), verb: 'End', object: 'the restore', consequences: endedLines(restore), onConfirm: accept }
  return (
    <>
      <Offer may={allowed} onClick={() => setAsked(true)}>End the restore…</Offer>
      {open.length > 0 ? <Confirm {...common} level={3} type={String(open.length)} /> : <Confirm {...common} level={2} />}
    </>
  )
}
