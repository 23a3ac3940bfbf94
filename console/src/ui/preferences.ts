import { createContext, useContext } from 'react'
import type { Zone } from './format'

// The only use of the browser's storage: layout and theme. No value, no name of
// an object and nothing of a session is kept in it.

export interface Preferences {
  zone: Zone
  compact: boolean
  railCollapsed: boolean
  /** Whether single letters act. They can be turned off (WCAG 2.1.4). */
  characterKeys: boolean
}

export const defaults: Preferences = { zone: 'browser', compact: false, railCollapsed: false, characterKeys: true }

const storageKey = 'keyturn-layout'

/** Reads what was chosen here before; storage that is forbidden or damaged gives the defaults. */
export function loadPreferences(): Preferences {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storageKey) ?? '{}')
    if (typeof stored !== 'object' || stored === null) return defaults
    const s = stored as Record<string, unknown>
    const flag = (name: 'compact' | 'railCollapsed' | 'characterKeys') =>
      typeof s[name] === 'boolean' ? s[name] : defaults[name]
    return {
      zone: s['zone'] === 'utc' ? 'utc' : 'browser',
      compact: flag('compact'),
      railCollapsed: flag('railCollapsed'),
      characterKeys: flag('characterKeys'),
    }
  } catch {
    return defaults
  }
}

/** Keeps what was chosen; where storage is forbidden it holds for this page only. */
export function savePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(storageKey, JSON.stringify(preferences))
  } catch {
    // Private windows may refuse; the choice then ends with the page.
  }
}

export interface PreferencesValue {
  preferences: Preferences
  change: (part: Partial<Preferences>) => void
}

export const PreferencesContext = createContext<PreferencesValue>({ preferences: defaults, change: () => {} })

export function usePreferences(): PreferencesValue {
  return useContext(PreferencesContext)
}

/** Which theme was chosen. Its key is read by public/theme.js before the first paint. */
export const themeStorageKey = 'keyturn-theme'
