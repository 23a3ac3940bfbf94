import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { act, configure } from '@testing-library/react'
import type { ReactNode } from 'react'
import { vi } from 'vitest'
import { ApiContext, makeApi, type Schemas, SessionContext } from '../../app/api'
import { parseSearch, stringifySearch } from '../../app/search'
import { draw } from '../../test/render'

// A busy machine is slow, which is no failure. Whether a part is visible is asked of a real browser, not of jsdom.
configure({ asyncUtilTimeout: 20_000, defaultHidden: true })
vi.setConfig({ testTimeout: 120_000 })

/** A request as the server of a test sees it. */
export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
  headers: Headers
}

export type Answer = { status?: number; body?: unknown }

export const session = (part: Partial<Schemas['Session']> = {}): Schemas['Session'] => ({
  kind: 'user',
  user: { id: 'u1', name: 'anna', role: 'administrator', disabled: false, createdAt: '2026-01-01T00:00:00Z', rev: 1 },
  can: new Proxy({} as Schemas['Session']['can'], { get: () => ({ allowed: true }), ownKeys: () => [] }),
  ...part,
})

/** Draws the page of a route such as "/runs/$run" behind a session; `answer` stands for the server. Gives what was asked, in order. */
export async function drawPage(route: string, address: string, Page: () => ReactNode, answer: (asked: Asked) => Answer | undefined, who = session()) {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url)
    const text = await request.text()
    const one: Asked = { method: request.method, path: url.pathname.replace('/api/v1', ''), query: url.searchParams, body: text === '' ? undefined : JSON.parse(text), headers: request.headers }
    asked.push(one)
    const { status = 200, body } = answer(one) ?? { status: 404, body: { type: 'not-found', title: 'There is nothing here', status: 404 } }
    const type = status < 400 ? 'application/json' : 'application/problem+json'
    return new Response(body === undefined ? null : JSON.stringify(body), { status: body === undefined && status === 200 ? 204 : status, headers: { 'Content-Type': type } })
  })
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity, networkMode: 'always' } } })
  const api = makeApi({})
  const root = createRootRoute()
  const page = createRoute({
    getParentRoute: () => root,
    path: route,
    component: () => (
      <QueryClientProvider client={client}>
        <ApiContext value={api}>
          <SessionContext value={who}><Page /></SessionContext>
        </ApiContext>
      </QueryClientProvider>
    ),
  })
  const other = createRoute({ getParentRoute: () => root, path: '$', component: () => null })
  const router = createRouter({
    routeTree: root.addChildren([page, other]),
    history: createMemoryHistory({ initialEntries: [address] }),
    parseSearch,
    stringifySearch,
  })
  await act(() => router.load())
  const drawn = draw(<RouterProvider router={router as never} />)
  await act(async () => {})
  return { ...drawn, asked, client, router }
}

/** A page of a list as the server answers it. */
export const pageOf = <T,>(items: readonly T[], rest: object = {}) => ({ asOf: '2026-01-01T00:00:00Z', items, total: items.length, ...rest })
