import type { Schemas } from '../../app/api'
import type { Rollout } from './rollouts'
import type { Run, RunWrite } from './run'

export const write = (part: Partial<RunWrite>): RunWrite => ({
  mappingId: `${part.namespace ?? 'shop'}-${part.secret ?? 'db'}-${part.cluster ?? 'east'}`,
  cluster: 'east', clusterId: 'c1', namespace: 'shop', secret: 'db', secretId: 's1', key: 'password', state: 'in_sync', at: '2026-01-01T10:00:03Z', ...part,
})

export const run = (part: Partial<Run> = {}): Run => ({
  id: '0190aaaa-7f3a91', accountId: 'a1', accountName: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', actor: 'anna',
  createdAt: '2026-01-01T10:00:00Z', updatedAt: '2026-01-01T10:00:05Z', rev: 1767261605000000, state: 'running', strategy: 'single', step: 'verified',
  keys: 3, keysProved: 2, proved: true, new: 13, old: 12,
  facts: ['The system accepted a login with version 13 and refused a wrong value.', '2 of 3 mapped keys were read back with version 13.'],
  steps: [
    { name: 'planned', state: 'done', at: '2026-01-01T10:00:00Z' },
    { name: 'minted', state: 'done', at: '2026-01-01T10:00:01Z' },
    { name: 'published', state: 'running' },
    { name: 'rolled_out', state: 'to_do' },
  ],
  writes: [write({}), write({ cluster: 'west', state: 'behind', reason: 'No answer from the API server.', cure: 'Bring it back.' })],
  can: { resume: { allowed: true } },
  ...part,
})

export const rollout = (part: Partial<Rollout> = {}): Rollout => {
  const { namespace = 'shop', name = 'api', clusterId = 'c1' } = part
  return { clusterId, cluster: 'east', kind: 'Deployment', namespace, name, uid: `${clusterId}/${namespace}/${name}`, state: 'done', wanted: 3, new: 3, ready: 3, old: 0, at: '2026-01-01T10:00:09Z', ...part }
}

/** A run that is at its consumers, or has passed them. */
export const rolling = (state: 'running' | 'failed' | 'done' | 'skipped', part: Partial<Run> = {}): Run => run({
  step: 'published', keysProved: 3,
  steps: [{ name: 'published', state: 'done', at: '2026-01-01T10:00:04Z', note: '3 of 3 keys written and read back.' }, { name: 'rolled_out', state }, { name: 'retired', state: 'to_do' }],
  ...part,
})

export const replacement = (part: Partial<Schemas['RunReplacement']> = {}): Schemas['RunReplacement'] => ({
  clusterId: 'c1', cluster: 'east', namespace: 'shop', secret: 'db', instead: 'db-1', state: 'running', consumers: 3, switched: 2,
  old: 'It is deleted next, if nothing names it any more.', ...part,
})
