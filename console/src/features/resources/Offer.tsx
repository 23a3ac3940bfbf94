import { Button, type ButtonProps, Tooltip } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Schemas } from '../../app/api'
import type { Place } from './PlaceLink'

export interface OfferProps {
  /** From the object's `can`, or from `useMay`. */
  may: Schemas['Permission'] | undefined
  onClick?: () => void
  /** Where it leads, instead of a click. */
  to?: Place
  variant?: ButtonProps['variant']
  size?: ButtonProps['size']
  loading?: boolean
  /** What the screen reader hears where the word alone does not say of what. */
  label?: string
  /** In a grid, which is one tab stop. */
  inGrid?: boolean
  children: ReactNode
}

/** A button for what may be done. What may not be done now says why, and can still take the focus. */
export function Offer({ may, onClick, to, variant = 'default', size, loading, label, inGrid, children }: OfferProps) {
  const tabIndex = inGrid ? -1 : undefined
  if (may?.allowed) {
    if (to !== undefined) return <Button component={Link} to={to.to as never} params={to.params as never} search={to.search as never} variant={variant} size={size} aria-label={label} tabIndex={tabIndex}>{children}</Button>
    return <Button variant={variant} size={size} loading={loading} onClick={onClick} aria-label={label} tabIndex={tabIndex}>{children}</Button>
  }
  const reason = may?.reason || 'You may not do this.'
  return (
    <Tooltip label={reason} multiline maw={320}>
      <Button variant={variant} size={size} data-disabled aria-disabled onClick={(event) => event.preventDefault()} aria-label={label} tabIndex={tabIndex} aria-description={reason}>
        {children}
      </Button>
    </Tooltip>
  )
}
