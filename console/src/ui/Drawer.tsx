import { Drawer as Panel } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './Drawer.module.css'

export interface DrawerProps {
  opened: boolean
  /** Escape, the cross or a click beside it. The focus goes back to what opened it. */
  onClose: () => void
  title: ReactNode
  /** What can be done, at the foot; it stays in sight. */
  actions?: ReactNode
  children: ReactNode
}

/** A look at one row without losing the list, from the right. One at most; what it shows is in the URL by the caller. */
export function Drawer({ opened, onClose, title, actions, children }: DrawerProps) {
  return (
    <Panel opened={opened} onClose={onClose} position="right" size={560} title={title} closeButtonProps={{ 'aria-label': 'Close' }} classNames={{ title: classes.title, body: classes.body, content: classes.content }}>
      <div className={classes.inside}>{children}</div>
      {actions !== undefined && <div className={classes.actions}>{actions}</div>}
    </Panel>
  )
}
