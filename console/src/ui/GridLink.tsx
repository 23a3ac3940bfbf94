import { useRouter } from '@tanstack/react-router'
import type { MouseEvent, ReactNode } from 'react'
import type { Place } from './Offer'

/** The path of a place, its parameters percent-encoded. Its query is not in it. */
export function pathOf({ to, params = {} }: Place): string {
  return to.replaceAll(/\$(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
}

/**
 * A link in a grid's cell. While a list is scrolled, hundreds are drawn in a
 * second: the router's own resolves its address and watches the location in each.
 * A grid is one tab stop, so it is none.
 */
export function GridLink({ place, className, children }: { place: Place; className?: string; children: ReactNode }) {
  const router = useRouter()
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return // the browser's own: a new tab
    event.preventDefault()
    void router.navigate(place as never)
  }
  return <a href={pathOf(place)} tabIndex={-1} className={className} onClick={follow}>{children}</a>
}
