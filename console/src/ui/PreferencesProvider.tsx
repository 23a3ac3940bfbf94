import { type ReactNode, useCallback, useMemo, useState } from 'react'
import { loadPreferences, type Preferences, PreferencesContext, savePreferences } from './preferences'

export function PreferencesProvider({ children }: { children: ReactNode }) {
  const [preferences, setPreferences] = useState(loadPreferences)
  const change = useCallback(
    (part: Partial<Preferences>) => {
      const next = { ...preferences, ...part }
      setPreferences(next)
      savePreferences(next)
    },
    [preferences],
  )
  const value = useMemo(() => ({ preferences, change }), [preferences, change])
  return <PreferencesContext value={value}>{children}</PreferencesContext>
}
