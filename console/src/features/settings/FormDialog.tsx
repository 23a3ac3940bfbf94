import { Button, Group, Modal } from '@mantine/core'
import { type ReactNode, Suspense, useRef } from 'react'
import { useForm } from '../../ui/form'
import { ProblemView } from '../../ui/ProblemView'
import classes from './Settings.module.css'

interface FormDialogProps {
  opened: boolean
  onClose: () => void
  title: string
  /** What the button says, with the object. */
  action: string
  /** Sends the fields. Resolved, the dialog closes; rejected, it stays with the problem. */
  onSubmit: (field: (name: string) => string) => Promise<void>
  children: ReactNode
}

/** A dialog with fields. What is typed goes from the fields to the request and into no state. */
export function FormDialog({ opened, onClose, title, ...form }: FormDialogProps) {
  const busy = useRef(false)
  // What was sent cannot be taken back by closing; the answer is waited for.
  const close = () => {
    if (!busy.current) onClose()
  }
  return (
    <Modal opened={opened} onClose={close} title={title} centered size={520} closeButtonProps={{ 'aria-label': 'Close' }}>
      {/* A field that is still being loaded must not be missing from what is sent. */}
      <Suspense>
        <Fields {...form} onClose={close} onBusy={(now) => (busy.current = now)} />
      </Suspense>
    </Modal>
  )
}

function Fields({ action, onSubmit, onClose, onBusy, children }: Omit<FormDialogProps, 'opened' | 'title'> & { onBusy: (busy: boolean) => void }) {
  const form = useForm(async (field) => {
    onBusy(true)
    try {
      await onSubmit(field)
    } finally {
      onBusy(false)
    }
    onClose()
  })
  return (
    <form onSubmit={form.onSubmit} className={classes.form}>
      {form.problem && <ProblemView problem={form.problem} />}
      {children}
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={onClose} disabled={form.busy}>Cancel</Button>
        <Button type="submit" loading={form.busy}>{action}</Button>
      </Group>
    </form>
  )
}
