import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { act } from '@testing-library/react'
import type { ReactNode } from 'react'
import { parseSearch, stringifySearch } from '../app/search'
import { draw } from './render'

/** Draws a part that holds links, at an address; answers with the router. */
export async function drawAt(address: string, Part: () => ReactNode) {
  const root = createRootRoute()
  const any = createRoute({ getParentRoute: () => root, path: '$', component: Part })
  const router = createRouter({
    routeTree: root.addChildren([any]),
    history: createMemoryHistory({ initialEntries: [address] }),
    parseSearch,
    stringifySearch,
  })
  await act(() => router.load())
  const drawn = draw(<RouterProvider router={router as never} />)
  await act(async () => {})
  return { ...drawn, router }
}
