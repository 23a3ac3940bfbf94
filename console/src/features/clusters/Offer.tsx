import { Button, type ButtonProps, Menu, Tooltip } from '@mantine/core'
import type { MouseEvent, ReactNode } from 'react'
import type { Schemas } from '../../app/api'

export interface OfferProps extends ButtonProps {
  permission: Schemas['Permission']
  onClick: () => void
  children: ReactNode
}

/** A button for what may be refused: it then stays in the tab order, does nothing and says why. */
export function Offer({ permission, onClick, children, ...button }: OfferProps) {
  const { allowed, reason } = permission
  return (
    <Tooltip label={reason} disabled={allowed || !reason} multiline maw={320}>
      <Button
        {...button}
        data-disabled={!allowed || undefined}
        aria-disabled={!allowed || undefined}
        onClick={(event: MouseEvent) => (allowed ? onClick() : event.preventDefault())}
      >
        {children}
      </Button>
    </Tooltip>
  )
}

/** An entry of a menu for what may be refused: the reason stands below its word. */
export function OfferItem({ permission, onClick, icon, children }: { permission: Schemas['Permission']; onClick: () => void; icon?: ReactNode; children: ReactNode }) {
  const { allowed, reason } = permission
  return (
    <Menu.Item leftSection={icon} data-disabled={!allowed || undefined} aria-disabled={!allowed || undefined} closeMenuOnClick={allowed} onClick={() => allowed && onClick()}>
      {children}
      {!allowed && reason && <div style={{ fontSize: 12, maxWidth: 240 }}>{reason}</div>}
    </Menu.Item>
  )
}
