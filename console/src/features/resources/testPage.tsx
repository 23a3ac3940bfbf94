import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { act, configure } from '@testing-library/react'
import type { ComponentType } from 'react'
import { vi } from 'vitest'
import { ApiContext, makeApi, type Schemas, SessionContext } from '../../app/api'
import { makeQueryClient } from '../../app/query'
import { parseSearch, stringifySearch } from '../../app/search'
import { draw } from '../../test/render'

// A busy machine is no failure.
configure({ asyncUtilTimeout: 30_000 })
vi.setConfig({ testTimeout: 120_000 })

/** What the server was asked, in order. */
export interface Asked {
  method: string
  path: string
  search: string
  body: unknown
  headers: Headers
}

/** The answer to a request: a document, or a whole response. */
export type Answer = (asked: Asked) => unknown

export interface TestPage {
  /** The pattern of the page's address, and the address itself. */
  route: string
  at: string
  page: ComponentType
  answer: Answer
  /** The operations that the person may not do. */
  refused?: readonly string[]
}

const may: Schemas['Permission'] = { allowed: true }

export const page = <T,>(items: readonly T[], more: object = {}) => ({ items, total: items.length, asOf: '2026-11-23T12:00:00Z', ...more })

export const refuse = (status: number, fields: object) =>
  new Response(JSON.stringify({ status, ...fields }), { status, headers: { 'Content-Type': 'application/problem+json' } })

/** Draws a page at its address, with the server's answers given by the test at the level of requests. */
export async function drawPage({ route, at, page: Page, answer, refused = [] }: TestPage) {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url)
    const text = await request.clone().text()
    const one = { method: request.method, path: url.pathname, search: url.search, body: text === '' ? undefined : (JSON.parse(text) as unknown), headers: request.headers }
    asked.push(one)
    const found = answer(one)
    if (found instanceof Response) return found
    return found === undefined ? refuse(404, { type: 'not-found', title: `No answer for ${one.path}` }) : Response.json(found)
  })
  const root = createRootRoute()
  const here = createRoute({ getParentRoute: () => root, path: route, component: () => <Page /> })
  const elsewhere = createRoute({ getParentRoute: () => root, path: '$', component: () => <p>Another page</p> })
  const router = createRouter({ routeTree: root.addChildren([here, elsewhere]), history: createMemoryHistory({ initialEntries: [at] }), parseSearch, stringifySearch })
  const can = new Proxy({}, { get: (_, op: string) => (refused.includes(op) ? { allowed: false, reason: 'Your role does not allow it.' } : may) })
  await act(() => router.load())
  const drawn = draw(
    <QueryClientProvider client={makeQueryClient()}>
      <ApiContext value={makeApi({})}>
        <SessionContext value={{ can, kind: 'user', user: { id: 'u1', name: 'anna', role: 'administrator', disabled: false, rev: 1, createdAt: '2026-11-01T00:00:00Z' } }}>
          <RouterProvider router={router as never} />
        </SessionContext>
      </ApiContext>
    </QueryClientProvider>,
  )
  return { ...drawn, router, asked }
}
