import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import type { Liveness } from '../api/events'
import { SessionCover } from '../ui/SessionCover'
import { Shell, type ShellProps } from '../ui/Shell'
import { connectLive } from './live'
import { type SessionWatch, useSession } from './session'

export interface FrameProps extends Omit<ShellProps, 'liveness' | 'children'> {
  watch: SessionWatch
  /** When the session ends without a call, in milliseconds of the epoch. */
  idleUntil?: number
  /** Makes a call that lengthens the session. Rejects with a Problem. */
  onStay: () => Promise<void>
  /** Goes to an address with a full load, so that nothing of this session stays in memory. */
  onLeave: (address: string) => void
  children: ReactNode
}

/** The shell with what makes it live: the event stream while the session holds, and the cover when it ends. */
export function Frame({ watch, idleUntil, onStay, onLeave, children, ...shell }: FrameProps) {
  const client = useQueryClient()
  const session = useSession(watch)
  const [liveness, setLiveness] = useState<Liveness>({ state: 'reconnecting' })
  useEffect(() => {
    if (session === 'ended') return
    return connectLive({ client, onLiveness: setLiveness, onSignedOut: watch.end, onSealed: () => onLeave('/sealed') })
  }, [client, session, watch, onLeave])
  const back = () => {
    watch.reopen()
    // What was missed meanwhile is read again; drafts are not touched.
    void client.invalidateQueries()
  }
  return (
    <SessionCover
      user={shell.user.name}
      ended={session === 'ended'}
      idleUntil={idleUntil}
      onStay={onStay}
      onEnded={watch.end}
      onBack={back}
      onOther={() => onLeave('/')}
    >
      <Shell {...shell} liveness={liveness}>{children}</Shell>
    </SessionCover>
  )
}
