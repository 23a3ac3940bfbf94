import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'

/**
 * Which dialog is open is in the address: `?do=edit&open=<id>`, with `session`
 * for one of that user's. Opening it adds to the history, so that Back closes it.
 */
export function useDialog() {
  const navigate = useNavigate()
  const search: Record<string, unknown> = useSearch({ strict: false })
  const text = (key: string) => (typeof search[key] === 'string' ? search[key] : undefined)
  const go = useCallback(
    (next: { do?: string; open?: string; session?: string }) =>
      void navigate({ to: '.', search: ((before: object) => ({ ...before, do: next.do, open: next.open, session: next.session })) as never, resetScroll: false }),
    [navigate],
  )
  return { verb: text('do'), open: text('open'), session: text('session'), go }
}
