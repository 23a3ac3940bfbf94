import { Button, type ButtonProps, Tooltip } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Schemas } from '../../app/api'

export interface PermitButtonProps extends Pick<ButtonProps, 'variant' | 'size' | 'loading' | 'className'> {
  /** As the object's `can` says. Undefined is not allowed. */
  permit: Schemas['Permission'] | undefined
  onClick: () => void
  children: ReactNode
}

/** A button that is off with its reason when it would be refused. It stays focusable, so that the reason can be read. */
export function PermitButton({ permit, onClick, children, ...rest }: PermitButtonProps) {
  if (permit?.allowed) return <Button {...rest} onClick={onClick}>{children}</Button>
  const why = permit?.reason ?? 'The server does not offer this here.'
  return (
    <Tooltip label={why} multiline maw={320}>
      <Button {...rest} data-disabled aria-disabled="true" onClick={(event) => event.preventDefault()} aria-description={why}>{children}</Button>
    </Tooltip>
  )
}
