import { createContext, useContext } from 'react'

export const clipboardSeconds = 30

export interface ClipboardValue {
  /** "copied": a value is on it and will be cleared. "uncertain": one may still be, and this page could not clear it. */
  state: 'none' | 'copied' | 'uncertain'
  /** Puts a value on the clipboard, for thirty seconds, whatever page is shown then. Rejects when the browser refuses. */
  copyValue: (value: string) => Promise<void>
  /** Puts anything else on it, which also ends the wait for a value. Rejects when the browser refuses. */
  copyText: (text: string) => Promise<void>
  clear: () => Promise<void>
}

// Outside the guard nothing would clear a value, so none is copied.
const unguarded: ClipboardValue = {
  state: 'none',
  copyValue: () => Promise.reject(new Error('no clipboard guard')),
  copyText: (text) => navigator.clipboard.writeText(text),
  clear: () => Promise.resolve(),
}

export const ClipboardContext = createContext(unguarded)

export function useClipboard(): ClipboardValue {
  return useContext(ClipboardContext)
}
