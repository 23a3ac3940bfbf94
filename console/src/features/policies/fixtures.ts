import type { Policy } from './policy'

const yes = { allowed: true }

export const policy = (part: Partial<Policy> = {}): Policy => ({
  id: 'p1', name: 'prod', password: { length: 40 }, entropyBits: 194.7, history: 5,
  rotation: { every: '30d', zone: 'Europe/Berlin', windows: ['Fri 20:00-Sat 04:00'], jitter: '6h', canary: ['stage-*'], waveSize: '25%', wavePause: 'ask' },
  assignments: [{ id: 'x1', by: 'rule', pattern: 'postgresql/prod-*/*' }, { id: 'x2', by: 'resource', pattern: 'r1', name: 'orders-db' }],
  accounts: 14, overdue: 2, nextAt: '2026-12-04T19:00:00Z', createdAt: '2026-11-01T00:00:00Z', rev: 3, can: { update: yes, delete: yes, assign: yes },
  ...part,
})

const never = 'It is for every account that no other policy is for'

export const builtIn = policy({
  id: 'default', name: 'default', builtIn: true, password: {}, entropyBits: 183, history: 0, rotation: {}, assignments: [], accounts: 3, overdue: 0, nextAt: undefined,
  can: { update: yes, delete: { allowed: false, reason: never }, assign: { allowed: false, reason: never } },
})

export const preview = {
  entropyBits: 194.7,
  next: [{ at: '2026-12-04T19:00:00Z', why: 'every 30d; it waits for its window' }, { at: '2027-01-08T19:00:00Z', why: 'every 30d; it waits for its window' }],
}

export const scheduled = (part: object = {}) => ({
  id: 'a1', name: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', resourceType: 'postgresql', state: 'verified', readiness: 'ready', current: 3, mappings: { in_sync: 2 }, createdAt: '2026-11-01T00:00:00Z', rev: 7,
  policy: 'prod', policyBecause: 'It matches the rule postgresql/prod-*/*', nextAt: '2026-12-04T19:00:00Z', nextWhy: 'every 30d; it waits for its window', checkAt: '2026-12-01T10:00:00Z', changedAt: '2026-11-04T10:00:00Z',
  can: { reset: yes }, ...part,
})
