import { useNavigate } from '@tanstack/react-router'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { bodyOf, useApi } from '../../app/api'
import { keys } from '../../api/keys'
import { Confirm } from '../../ui/Confirm'
import { Offer } from '../../ui/Offer'
import { useToast } from '../../ui/say'
import type { Run } from './run'

/** What follows when a run is rolled back, one line each. */
export function rolledBackLines(run: Run): string[] {
  const keys = run.keys === 1 ? 'its 1 mapped key' : `all ${run.keys} mapped keys`
  return [
    `This run ends, and another one sets the value of v${run.old} again: on ${run.resourceName}, in ${keys}, and in what reads them.`,
    'It goes through the same steps, with the same proofs.',
    run.strategy === 'overlap' ? 'The system takes both values until that is done; nobody is locked out.' :
      run.strategy === 'alternating' ? 'Both logins stay valid; nobody is locked out.' : 'The system takes one value at a time: who has the new one is refused until it has the old one again.',
  ]
}

/** Ends a run that is stopped: sets the value before it again, or gives it up where nothing was sent. */
export function EndRun({ run }: { run: Run }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const [asked, setAsked] = useState<'rollback' | 'cancel'>()
  const path = { params: { path: { run: run.id } } }
  const done = () => client.invalidateQueries({ queryKey: keys.one('run', run.id) })
  const rollBack = async () => {
    try {
      const back = bodyOf(await api.POST('/api/v1/runs/{run}/rollback', path))
      say('The value before is being set again.')
      await navigate({ to: '/runs/$run', params: { run: back.id } })
    } finally {
      await done() // also after a lost answer
    }
  }
  const cancel = async () => {
    try {
      bodyOf(await api.POST('/api/v1/runs/{run}/cancel', path))
      say('The run is cancelled.')
    } finally {
      await done()
    }
  }
  const nothingSent = run.can?.['cancel']?.allowed === true
  return (
    <>
      {nothingSent
        ? <Offer may={run.can?.['cancel']} onClick={() => setAsked('cancel')}>Cancel run…</Offer>
        : <Offer may={run.can?.['rollback']} onClick={() => setAsked('rollback')}>Roll back…</Offer>}
      <Confirm opened={asked === 'rollback'} onClose={() => setAsked(undefined)} level={2} verb="Roll back" object={run.accountName} consequences={rolledBackLines(run)} onConfirm={rollBack} />
      <Confirm
        opened={asked === 'cancel'}
        onClose={() => setAsked(undefined)}
        level={2}
        verb="Cancel"
        object="the run"
        consequences={[`Nothing was sent to ${run.resourceName} yet: the account keeps its value, and no key is written.`]}
        onConfirm={cancel}
      />
    </>
  )
}
