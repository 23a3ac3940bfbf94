import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { act, configure } from '@testing-library/react'
import type { ComponentType } from 'react'
import { vi } from 'vitest'
import { ApiContext, makeApi, type Schemas, SessionContext } from '../app/api'
import { makeQueryClient } from '../app/query'
import { parseSearch, stringifySearch } from '../app/search'
import { draw } from './render'

// A busy machine is slow, which is no failure; a part that never comes still fails.
configure({ asyncUtilTimeout: 30_000 })
vi.setConfig({ testTimeout: 120_000 })

/** One request as the page sent it. */
export interface Asked {
  method: string
  /** Without "/api/v1". */
  path: string
  /** As in the address, with its question mark. */
  search: string
  query: URLSearchParams
  body: unknown
  headers: Headers
}

/** The server's answer: a document, a whole response, or undefined for "there is nothing". */
export type Answer = (asked: Asked) => unknown

export interface TestPage {
  /** The pattern of the page's address, and the address itself. */
  route: string
  at: string
  page: ComponentType
  answer: Answer
  /** Who is signed in; without it an administrator who may do everything. */
  who?: Schemas['Session']
}

const everything = new Proxy({} as Schemas['Session']['can'], { get: () => ({ allowed: true }), ownKeys: () => [] })

/** A session of anna, who may do everything but what `part` says. */
export const session = (part: Partial<Schemas['Session']> = {}): Schemas['Session'] => ({
  kind: 'user',
  user: { id: 'u1', name: 'anna', role: 'administrator', disabled: false, createdAt: '2026-01-01T00:00:00Z', rev: 1 },
  can: everything,
  ...part,
})

/** A page of a list as the server answers it. */
export const pageOf = <T,>(items: readonly T[], more: object = {}) => ({ items, total: items.length, asOf: '2026-11-23T12:00:00Z', ...more })

/** A refusal with a problem document. */
export const refuse = (status: number, fields: object = {}) =>
  new Response(JSON.stringify({ type: 'about:blank', title: `refused with ${status}`, status, ...fields }), { status, headers: { 'Content-Type': 'application/problem+json' } })

/**
 * Draws a page at its address behind a session. The test stands for the server
 * at the level of requests, and is told each of them in order. A reading that
 * fails is not repeated.
 */
export async function drawPage({ route, at, page: Page, answer, who = session() }: TestPage) {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url)
    const text = await request.clone().text()
    const one: Asked = {
      method: request.method,
      path: url.pathname.replace('/api/v1', ''),
      search: url.search,
      query: url.searchParams,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
      headers: request.headers,
    }
    asked.push(one)
    const found = answer(one)
    if (found instanceof Response) return found
    if (found === undefined) return refuse(404, { type: 'not-found', title: `There is nothing here: ${one.path}` })
    return typeof found === 'string' ? new Response(found) : Response.json(found)
  })
  const client = makeQueryClient()
  client.setDefaultOptions({ queries: { ...client.getDefaultOptions().queries, retry: false } })
  const root = createRootRoute()
  const here = createRoute({ getParentRoute: () => root, path: route, component: () => <main><Page /></main> })
  const elsewhere = createRoute({ getParentRoute: () => root, path: '$', component: () => <p>another page</p> })
  const router = createRouter({
    routeTree: root.addChildren([here, elsewhere]),
    history: createMemoryHistory({ initialEntries: [at] }),
    parseSearch,
    stringifySearch,
  })
  await act(() => router.load())
  const drawn = draw(
    <QueryClientProvider client={client}>
      <ApiContext value={makeApi({})}>
        <SessionContext value={who}>
          <RouterProvider router={router as never} />
        </SessionContext>
      </ApiContext>
    </QueryClientProvider>,
  )
  await act(async () => {})
  return { ...drawn, asked, router, client }
}
