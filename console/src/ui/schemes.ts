import type { MantineColorSchemeManager } from '@mantine/core'

const restAfterMs = 2_000

/**
 * Hears of another tab's choice of theme only when the page has come to rest: to
 * be told of changes in its storage, a page waits for the browser to open it,
 * which takes longer (60 ms) than to draw the first page.
 */
export function whenAtRest(schemes: MantineColorSchemeManager): MantineColorSchemeManager {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    ...schemes,
    subscribe: (hear) => {
      timer = setTimeout(() => schemes.subscribe(hear), restAfterMs)
    },
    unsubscribe: () => {
      clearTimeout(timer)
      schemes.unsubscribe()
    },
  }
}
