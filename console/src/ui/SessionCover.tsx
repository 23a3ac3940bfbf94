import { Button, Group, Modal } from '@mantine/core'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { asProblem, type Problem } from '../api/problem'
import { Covered } from './covered'
import { duration } from './format'
import { LoginForm } from './LoginForm'
import { ProblemView } from './ProblemView'
import classes from './SessionCover.module.css'

export interface SessionCoverProps {
  /** Who is signed in. */
  user: string
  /** The server said that the session is over (a 401). */
  ended: boolean
  /** When it ends without a call, in milliseconds of the epoch. */
  idleUntil?: number
  /** Makes the call that lengthens it. Rejects with a Problem. */
  onStay: () => Promise<void>
  /** The time is up: the caller sets `ended`. */
  onEnded: () => void
  /** The same user signed in: the page goes on as it was. */
  onBack: () => void
  /** Another user signed in: nothing of the old page may stay. */
  onOther: () => void
  children: ReactNode
}

const warnMs = 120_000

/** What is left, in ms, once it is two minutes or less; draws each second from then on. */
function useLeft(until: number | undefined, onEnded: () => void): number | undefined {
  const [left, setLeft] = useState<number>()
  const end = useRef(onEnded)
  useEffect(() => {
    end.current = onEnded
  })
  useEffect(() => {
    if (until === undefined) return
    let timer: ReturnType<typeof setTimeout>
    const look = () => {
      const rest = until - Date.now()
      setLeft(rest <= warnMs ? Math.max(0, rest) : undefined)
      if (rest <= 0) return end.current()
      // A sleeping machine wakes late: the clock is asked each time, never the timer.
      timer = setTimeout(look, rest > warnMs ? Math.min(rest - warnMs, 60_000) : rest % 1000 || 1000)
    }
    look()
    return () => clearTimeout(timer)
  }, [until])
  return until === undefined ? undefined : left
}

/**
 * Stands over the page when the session ends; drafts stay beneath it, values do
 * not. Two minutes before, it counts down and offers to stay.
 */
export function SessionCover({ user, ended, idleUntil, onStay, onEnded, onBack, onOther, children }: SessionCoverProps) {
  const left = useLeft(ended ? undefined : idleUntil, onEnded)
  return (
    <>
      <Covered value={ended}>{children}</Covered>
      <Modal opened={left !== undefined && left > 0 && !ended} onClose={() => {}} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false} title="Are you still there?" centered>
        <Countdown left={left ?? 0} onStay={onStay} />
      </Modal>
      {ended && <Cover user={user} onDone={(name) => (name === user ? onBack() : onOther())} />}
    </>
  )
}

function Countdown({ left, onStay }: { left: number; onStay: () => Promise<void> }) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const stay = () => {
    setBusy(true)
    setProblem(undefined)
    onStay().catch((error: unknown) => setProblem(asProblem(error))).finally(() => setBusy(false))
  }
  return (
    <>
      <span role="alert" className={classes.spoken}>Your session ends in less than two minutes.</span>
      <p className={classes.text}>Your session ends in <b className={classes.left}>{duration(Math.ceil(left / 1000) * 1000)}</b>. What you typed stays, values do not.</p>
      {problem && <ProblemView problem={problem} />}
      <Group justify="flex-end" mt="md"><Button onClick={stay} loading={busy} data-autofocus>Stay signed in</Button></Group>
    </>
  )
}

/** A native modal dialog: the browser itself makes all beneath it unreachable, open dialogs too. */
function Cover({ user, onDone }: { user: string; onDone: (name: string) => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const at = dialog.current
    if (!at) return
    const before = document.activeElement
    const stay = () => {
      if (!at.open) at.showModal()
    }
    const refuse = (event: Event) => event.preventDefault()
    stay()
    at.querySelector<HTMLElement>('input[name="password"]')?.focus() // the name is there already
    at.addEventListener('cancel', refuse)
    at.addEventListener('close', stay) // a browser may close it on a second Escape
    return () => {
      at.removeEventListener('cancel', refuse)
      at.removeEventListener('close', stay)
      at.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog ref={dialog} className={classes.cover} aria-labelledby="cover-title" aria-describedby="cover-text" onKeyDown={(event) => event.stopPropagation()}>
      <div className={classes.card}>
        <span role="alert" className={classes.spoken}>Your session has ended.</span>
        <h2 id="cover-title">Your session has ended</h2>
        <p id="cover-text" className={classes.text}>The page is still beneath. Sign in as <b><bdi>{user}</bdi></b> to go on; another user gets a clean page.</p>
        <LoginForm name={user} onDone={onDone} />
      </div>
    </dialog>
  )
}
