import type { ReactNode } from 'react'
import { useMay } from '../../app/api'
import { EmptyState } from '../../ui/EmptyState'

/** Shows a part to those who may, and to others who can do something about it. */
export function Permitted({ operation, what, children }: { operation: string; what: string; children: ReactNode }) {
  const may = useMay(operation)
  if (may.allowed) return children
  return <EmptyState empty={{ why: 'no-grants', what, ask: `${may.reason ?? 'Your role does not include it'}: ask an administrator.` }} />
}
