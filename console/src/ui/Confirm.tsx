import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { asProblem, type Problem } from '../api/problem'
import classes from './Confirm.module.css'
import { ProblemView } from './ProblemView'

interface Common {
  opened: boolean
  onClose: () => void
  /** What the button says: "Reset", and of what: "app_rw". */
  verb: string
  object: string
  /** What will happen, with counts: one line each. */
  consequences: readonly ReactNode[]
  /** Does it. Resolved, the dialog closes; rejected, it stays and shows the problem. */
  onConfirm: () => Promise<void>
  /** Fields that the decision needs. */
  children?: ReactNode
}

/** How much harm a slip would do. */
export type ConfirmProps = Common &
  (
    | { level: 1 }
    /** Cancel has the focus. */
    | { level: 2 }
    /** The button works only after this was typed: the object's name, or in bulk the number. */
    | { level: 3; type: string }
  )

/** Asks once before a change, by harm. The confirming button always names verb and object. */
export function Confirm(props: ConfirmProps) {
  const { opened, onClose, verb, object } = props
  const busy = useRef(false)
  // What was sent cannot be taken back by closing; the answer is waited for.
  const close = () => {
    if (!busy.current) onClose()
  }
  return (
    <Modal opened={opened} onClose={close} title={`${verb} ${object}`} centered size={520} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Question key={`${verb} ${object}`} {...props} onClose={close} onBusy={(now) => (busy.current = now)} />
    </Modal>
  )
}

function Question(props: ConfirmProps & { onBusy: (busy: boolean) => void }) {
  const { onClose, onBusy, onConfirm, verb, object, consequences, children, level } = props
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const here = useRef(true)
  useEffect(() => {
    here.current = true
    return () => {
      here.current = false
    }
  }, [])
  const wanted = level === 3 ? props.type : undefined
  const allowed = wanted === undefined || typed === wanted
  const confirm = async (event: FormEvent) => {
    event.preventDefault()
    if (!allowed || busy) return
    setBusy(true)
    onBusy(true)
    setProblem(undefined)
    try {
      await onConfirm()
      onBusy(false)
      onClose()
    } catch (error) {
      if (here.current) setProblem(asProblem(error))
    } finally {
      onBusy(false)
      if (here.current) setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => void confirm(event)}>
      <Stack gap="md">
        {consequences.length > 0 && <ul className={classes.consequences}>{consequences.map((line, i) => <li key={i}>{line}</li>)}</ul>}
        {children}
        {wanted !== undefined && (
          <TextInput
            label={<>Type <b className={classes.wanted}><bdi>{wanted}</bdi></b> to confirm</>}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
          />
        )}
        {problem && <ProblemView problem={problem} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose} disabled={busy} data-autofocus={level === 2 || undefined}>Cancel</Button>
          <Button type="submit" loading={busy} disabled={!allowed} className={level > 1 ? classes.harmful : undefined} data-autofocus={level === 1 || undefined}>
            {verb} {object}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
