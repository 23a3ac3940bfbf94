import { createContext } from 'react'

/** One step of the breadcrumb. The last is the page itself and is no link. */
export interface Crumb {
  label: string
  to?: string
}

/** How a page tells the frame where it is. Outside the frame it says it to nobody. */
export const CrumbsContext = createContext<(crumbs: readonly Crumb[]) => void>(() => {})
