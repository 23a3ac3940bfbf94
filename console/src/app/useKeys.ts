import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { usePreferences } from '../ui/preferences'

/** Where `g` and a letter lead. */
export const jumps: Readonly<Record<string, string>> = { o: '/', c: '/clusters', s: '/secrets', r: '/resources', u: '/runs', d: '/schedule', p: '/policies', i: '/conflicts', a: '/audit' }

const pairMs = 1500

/** Whether a key pressed here is meant for the page: nothing is being typed, and no dialog is open. */
export function isFree(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false
  const at = event.target instanceof Element ? event.target : undefined
  if (at?.closest('input, textarea, select, [contenteditable="true"], [role="menu"]')) return false
  return document.querySelector('[role="dialog"], dialog[open]') === null
}

/**
 * The character keys of every page: `/` goes to the filter, `g` and a letter to
 * a page. None changes or reveals anything, none acts while something is typed,
 * and all are off when the person has turned them off.
 */
export function useKeys(): void {
  const navigate = useNavigate()
  const { preferences: { characterKeys } } = usePreferences()
  useEffect(() => {
    if (!characterKeys) return
    let begun = -pairMs
    const onKey = (event: KeyboardEvent) => {
      if (!isFree(event)) return
      const pair = event.timeStamp - begun < pairMs
      const to = jumps[event.key]
      begun = event.key === 'g' ? event.timeStamp : -pairMs
      if (pair && to !== undefined) void navigate({ to })
      else if (event.key === '/') {
        const filter = document.querySelector<HTMLElement>('main [data-filter]')
        if (filter === null) return
        filter.focus()
      } else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [characterKeys, navigate])
}
