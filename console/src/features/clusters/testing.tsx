import type { ComponentType } from 'react'
import { type Asked, drawPage as drawAt, refuse, session } from '../../test/page'
import type { Cluster } from './clusters'

export type Answers = Record<string, (asked: Asked) => unknown>

/** A refusal for `answers`. */
export const refused = (status: number, type: string, fields: object = {}) => refuse(status, { type: `urn:keyturn:problem:${type}`, title: `refused: ${type}`, ...fields })

/**
 * Draws a page at an address, with a server of the given answers by method and
 * path ("GET /clusters"); a deletion that has none succeeds.
 */
export const drawPage = (route: string, page: ComponentType, at: string, answers: Answers, can: Record<string, boolean> = { 'cluster.create': true, 'audit.list': true }) =>
  drawAt({
    route, at, page,
    who: session({ can: Object.fromEntries(Object.entries(can).map(([op, allowed]) => [op, { allowed, reason: allowed ? undefined : 'Ask an administrator.' }])) }),
    answer: (asked) => {
      const answer = answers[`${asked.method} ${asked.path}`]?.(asked)
      if (answer !== undefined) return answer
      return asked.method === 'DELETE' ? new Response(null, { status: 204 }) : refused(404, 'not-found')
    },
  })

const can = Object.fromEntries(['update', 'delete', 'secrets', 'fetch', 'sync'].map((verb) => [verb, { allowed: true }]))

export function cluster(part: Partial<Cluster> = {}): Cluster {
  return {
    id: 'c1', name: 'prod-us', server: 'https://10.2.0.4:6443', ca: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n', uid: '7c', version: 'v1.36.3',
    state: 'connected', scope: { access: 'read-write', namespaces: ['shop'], restart: true }, createdAt: '2026-11-01T00:00:00Z', checkedAt: '2026-11-01T00:00:00Z',
    rev: 3, resources: 2, secrets: 14, mapped: 6, drifted: 0, can, ...part,
  }
}

export const pageOf = <Item,>(items: Item[], counts: Record<string, number> = {}) => ({ items, total: items.length, counts, asOf: '2026-11-01T00:00:00Z' })
