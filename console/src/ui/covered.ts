import { createContext } from 'react'

/** True while the session is over and the page is covered. Values hide themselves then. */
export const Covered = createContext(false)
