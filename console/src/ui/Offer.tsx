import { Button, type ButtonProps, Menu, Tooltip } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { MouseEvent, ReactNode } from 'react'

/** Whether something may be done, and if not why: from an object's `can`, or from `useMay`. */
export interface Permission {
  allowed: boolean
  reason?: string
}

/** A page of the router, its parameters and its query. */
export interface Place {
  to: string
  params?: Record<string, string>
  search?: Record<string, string>
}

export interface OfferProps extends Pick<ButtonProps, 'variant' | 'size' | 'loading' | 'disabled'> {
  /** Undefined is not allowed: the server does not offer it here. */
  may: Permission | undefined
  onClick?: () => void
  /** Where it leads, instead of a click. */
  to?: Place
  /** What the screen reader hears where the word alone does not say of what. */
  label?: string
  /** In a grid, which is one tab stop. */
  inGrid?: boolean
  children: ReactNode
}

const whyNot = (may: Permission | undefined) => may?.reason || 'You may not do this.'

/** A button for what may be done. What may not be done says why, does nothing, and can still take the focus. */
export function Offer({ may, onClick, to, variant = 'default', disabled, label, inGrid, children, ...rest }: OfferProps) {
  const common = { ...rest, variant, 'aria-label': label, tabIndex: inGrid ? -1 : undefined }
  if (may?.allowed) {
    if (to === undefined) return <Button {...common} disabled={disabled} onClick={onClick}>{children}</Button>
    return <Button {...common} component={Link} to={to.to as never} params={to.params as never} search={to.search as never}>{children}</Button>
  }
  const reason = whyNot(may)
  return (
    <Tooltip label={reason} multiline maw={320}>
      <Button {...common} data-disabled aria-disabled aria-description={reason} onClick={(event: MouseEvent) => event.preventDefault()}>{children}</Button>
    </Tooltip>
  )
}

export interface OfferItemProps extends Pick<OfferProps, 'may' | 'children'> {
  onClick: () => void
  icon?: ReactNode
}

/** An entry of a menu for what may be refused: the reason stands below its word. */
export function OfferItem({ may, onClick, icon, children }: OfferItemProps) {
  const allowed = may?.allowed ?? false
  return (
    <Menu.Item leftSection={icon} data-disabled={!allowed || undefined} aria-disabled={!allowed || undefined} closeMenuOnClick={allowed} onClick={() => allowed && onClick()}>
      {children}
      {!allowed && <div style={{ fontSize: 12, maxWidth: 240 }}>{whyNot(may)}</div>}
    </Menu.Item>
  )
}
