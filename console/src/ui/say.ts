import { createContext, useContext } from 'react'

/** Says something that may be missed: "Copied", "Saved". Never an error, never a value. */
export type Say = (text: string) => void

export const ToastContext = createContext<Say>(() => {})

/** Outside `ToastRegion` it says it to nobody. */
export function useToast(): Say {
  return useContext(ToastContext)
}
