import { Button } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { ClipboardContext, clipboardSeconds, type ClipboardValue } from './clipboard'
import classes from './ClipboardGuard.module.css'

/**
 * Clears a copied value from the clipboard after thirty seconds. It stands above
 * all pages, so that leaving the page of the value does not keep it there. It
 * holds no value, only that one was copied.
 */
export function ClipboardGuard({ children }: { children: ReactNode }) {
  const [state, setState] = useState<ClipboardValue['state']>('none')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)

  const clear = useCallback(async () => {
    clearTimeout(timer.current)
    try {
      await navigator.clipboard.writeText('')
      setState('none')
    } catch {
      setState('uncertain') // a page without focus may not write
    }
  }, [])
  const copyValue = useCallback(
    async (value: string) => {
      try {
        await navigator.clipboard.writeText(value)
      } catch (error) {
        setState('uncertain')
        throw error
      }
      setState('copied')
      clearTimeout(timer.current)
      timer.current = setTimeout(() => {
        if (document.hasFocus()) void clear()
        else setState('uncertain')
      }, clipboardSeconds * 1000)
    },
    [clear],
  )
  const copyText = useCallback(async (text: string) => {
    await navigator.clipboard.writeText(text)
    clearTimeout(timer.current)
    setState('none')
  }, [])
  useEffect(() => () => clearTimeout(timer.current), [])

  const value = useMemo(() => ({ state, copyValue, copyText, clear }), [state, copyValue, copyText, clear])
  return (
    <ClipboardContext value={value}>
      {children}
      {state === 'uncertain' && (
        <div className={classes.bar} role="status">
          <span>A password may still be on your clipboard.</span>
          <Button size="compact-sm" variant="default" onClick={() => void clear()}>Clear</Button>
        </div>
      )}
    </ClipboardContext>
  )
}
