import { createContext } from 'react'

/** True inside a grid's cells, where nothing is a tab stop of its own. */
export const InGrid = createContext(false)
