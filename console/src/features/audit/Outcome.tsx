import { IconBan, IconCheck, IconX } from '@tabler/icons-react'
import { iconProps } from '../../ui/icons'
import type { AuditEvent } from './audit'
import classes from './Audit.module.css'

const icons = { allowed: IconCheck, refused: IconBan, failed: IconX }

/** How an operation ended; only what was not done stands out. */
export function Outcome({ outcome, reason }: { outcome: AuditEvent['outcome']; reason?: string }) {
  const Icon = icons[outcome]
  return (
    <span className={classes.outcome} data-outcome={outcome}>
      <Icon {...iconProps} />
      <span>{outcome}{reason && `: ${reason}`}</span>
    </span>
  )
}
