import { type Answer, page } from '../resources/testPage'

const yes = { allowed: true }

export const account = {
  id: 'a1', name: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', resourceType: 'postgresql', state: 'verified', verifiedAt: '2026-11-23T12:00:00Z',
  current: 3, readiness: 'ready', rehearsedAt: '2026-11-23T03:10:00Z', mappings: { in_sync: 2, behind: 1 }, createdAt: '2026-11-01T00:00:00Z', rev: 7,
  can: { update: yes, delete: { allowed: false, reason: 'A reset of this account is under way.' }, reveal: yes, reset: yes, plan: yes, verify: yes, map: yes, share: yes },
}
export const mapping = {
  id: 'm1', accountId: 'a1', accountName: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', clusterId: 'c1', clusterName: 'east', secretId: 's1', namespace: 'shop', secret: 'db',
  key: 'password', onWrite: 'restart', state: 'in_sync', written: 3, current: 3, createdBy: 'anna', createdAt: '2026-11-01T00:00:00Z', rev: 2, can: { update: yes, delete: yes },
}
export const versions = [
  { number: 3, stage: 'current', source: 'generated', actor: 'anna', createdAt: '2026-11-20T00:00:00Z', can: { reveal: yes, restore: { allowed: false, reason: 'This version is the current one.' } } },
  { number: 2, stage: 'retired', source: 'typed', actor: 'ben', createdAt: '2026-10-20T00:00:00Z', can: { reveal: yes, restore: yes } },
]
export const secret = {
  id: 's1', clusterId: 'c1', clusterName: 'east', resourceId: 'r2', resourceName: 'shop-east', namespace: 'shop', name: 'db', type: 'Opaque', keyCount: 2, mappedKeys: 0, size: 128,
  state: 'in_sync', seenAt: '2026-11-01T00:00:00Z', createdAt: '2026-11-01T00:00:00Z', uid: 'u', resourceVersion: '1', current: 2, rev: 1, can: { map: yes, reveal: yes, download: yes },
}
export const keysOf = [{ name: 'password', size: 64 }, { name: 'user', size: 64 }]

/** An answer that depends on what was asked. */
export class ByBody {
  readonly of: (body: unknown) => unknown
  constructor(of: (body: unknown) => unknown) {
    this.of = of
  }
}

/** What a server with one account, one Secret and one mapping answers; a test gives what is different. */
export function answers(more: Record<string, unknown> = {}): Answer {
  const known: Record<string, unknown> = {
    'GET /accounts': page([account], { counts: { verified: 1 } }),
    'GET /accounts/a1': account,
    'GET /accounts/a1/versions': { items: versions },
    'GET /mappings': page([mapping, { ...mapping, id: 'm2', secret: 'api', state: 'behind', written: 2 }], { counts: { in_sync: 1, behind: 1 } }),
    'GET /clusters': page([{ id: 'c1', name: 'east' }]),
    'GET /secrets': page([secret], { counts: { in_sync: 1 } }),
    'GET /secrets/s1': { ...secret, keys: keysOf },
    'GET /types': { items: [{ type: 'postgresql', name: 'PostgreSQL', description: '', minLength: 8, maxLength: 100, verify: true, change: true, reconcile: true, overlap: false }] },
    'GET /grants': page([], { can: { create: yes } }),
    'GET /audit': page([]),
    ...more,
  }
  return ({ method, path, body }) => {
    const answer = known[`${method} ${path}`]
    return answer instanceof ByBody ? answer.of(body) : answer
  }
}
