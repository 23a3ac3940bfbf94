import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { act, configure } from '@testing-library/react'
import { type ComponentType, useState } from 'react'
import { vi } from 'vitest'
import { ApiContext, makeApi, type Schemas, SessionContext } from '../../app/api'
import { makeQueryClient } from '../../app/query'
import { parseSearch, stringifySearch } from '../../app/search'
import { draw } from '../../test/render'
import type { Cluster } from './clusters'

// The machine that runs these may be busy; a part that never comes still fails.
configure({ asyncUtilTimeout: 10_000 })
vi.setConfig({ testTimeout: 90_000 })

/** One request as the page sent it. */
export interface Asked {
  method: string
  path: string
  search: string
  body: unknown
  headers: Headers
}

export type Answers = Record<string, (asked: Asked) => unknown>

/** A refusal for `answers`. */
export function refused(status: number, type: string, fields: object = {}): Response {
  return new Response(JSON.stringify({ type: `urn:keyturn:problem:${type}`, title: `refused: ${type}`, status, ...fields }), {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
  })
}

const session = (can: Record<string, Schemas['Permission']>): Schemas['Session'] => ({
  can,
  kind: 'user',
  user: { id: 'u1', name: 'anna', createdAt: '2026-11-01T00:00:00Z', disabled: false, rev: 1, role: 'administrator' },
})

/**
 * Draws a page at an address, with a server of the given answers by method and
 * path ("GET /clusters"); an answer is a document, a text or a Response. Tells
 * every request.
 */
export async function drawPage(path: string, Page: ComponentType, address: string, answers: Answers, can: Record<string, boolean> = { 'cluster.create': true, 'audit.list': true }) {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url)
    const text = await request.text()
    const one: Asked = { method: request.method, path: url.pathname.replace('/api/v1', ''), search: url.search, body: text === '' ? undefined : JSON.parse(text), headers: request.headers }
    asked.push(one)
    const answer = answers[`${one.method} ${one.path}`]?.(one)
    if (answer instanceof Response) return answer
    if (answer === undefined) return one.method === 'DELETE' ? new Response(null, { status: 204 }) : refused(404, 'not-found')
    return typeof answer === 'string' ? new Response(answer) : new Response(JSON.stringify(answer), { headers: { 'Content-Type': 'application/json' } })
  })
  const client = makeQueryClient()
  client.setDefaultOptions({ queries: { ...client.getDefaultOptions().queries, retry: false } })
  const who = session(Object.fromEntries(Object.entries(can).map(([op, allowed]) => [op, { allowed, reason: allowed ? undefined : 'Ask an administrator.' }])))
  const Inside = () => {
    const [api] = useState(() => makeApi({}))
    return (
      <QueryClientProvider client={client}>
        <ApiContext value={api}><SessionContext value={who}><main><Page /></main></SessionContext></ApiContext>
      </QueryClientProvider>
    )
  }
  const root = createRootRoute()
  const page = createRoute({ getParentRoute: () => root, path, component: Inside })
  const other = createRoute({ getParentRoute: () => root, path: '$', component: () => <p>another page</p> })
  const router = createRouter({ routeTree: root.addChildren([page, other]), history: createMemoryHistory({ initialEntries: [address] }), parseSearch, stringifySearch })
  await act(() => router.load())
  const drawn = draw(<RouterProvider router={router as never} />)
  await act(async () => {})
  return { ...drawn, asked, router, client }
}

const can = Object.fromEntries(['update', 'delete', 'secrets', 'fetch', 'sync'].map((verb) => [verb, { allowed: true }]))

export function cluster(part: Partial<Cluster> = {}): Cluster {
  return {
    id: 'c1', name: 'prod-us', server: 'https://10.2.0.4:6443', ca: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n', uid: '7c', version: 'v1.36.3',
    state: 'connected', scope: { access: 'read-write', namespaces: ['shop'], restart: true }, createdAt: '2026-11-01T00:00:00Z', checkedAt: '2026-11-01T00:00:00Z',
    rev: 3, resources: 2, secrets: 14, mapped: 6, drifted: 0, can, ...part,
  }
}

export const pageOf = <Item,>(items: Item[], counts: Record<string, number> = {}) => ({ items, total: items.length, counts, asOf: '2026-11-01T00:00:00Z' })
