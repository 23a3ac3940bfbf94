import type { Plan, PlanKey, PlanWorkload, Rehearsal } from './plan'

const yes = { allowed: true }

export const planKey = (part: Partial<PlanKey> = {}): PlanKey => ({
  mappingId: `${part.cluster ?? 'prod-eu'} ${part.secret ?? 'db'}`, clusterId: 'c1', cluster: 'prod-eu', secretId: 's1', namespace: 'shop', secret: 'db', key: 'password', onWrite: 'restart', state: 'in_sync', owner: 'keyturn', ...part,
})

export const workload = (part: Partial<PlanWorkload> = {}): PlanWorkload => ({
  clusterId: 'c1', cluster: 'prod-eu', kind: 'Deployment', namespace: 'shop', name: 'api', uid: `u ${part.name ?? 'api'}`, action: 'restart', pods: 3, ready: 3,
  uses: [{ secret: 'db', keys: ['password'], how: 'env', at: 'PASSWORD', refreshes: false }], ...part,
})

export const plan = (part: Partial<Plan> = {}): Plan => ({
  hash: '3c91aa', at: '2026-11-30T17:00:00Z', accountId: 'a1', accountName: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', resourceType: 'postgresql', current: 12, strategy: 'single',
  policy: 'prod', policyBecause: 'It is assigned to this account', waves: 2,
  blast: { clusters: 2, secrets: 2, keys: 3, blocked: 1, workloads: 2, restarts: 1, pods: 3, singleReplica: 1 },
  keys: [planKey({ wave: 2 }), planKey({ cluster: 'stage', wave: 1 }), planKey({ secret: 'legacy', wave: 2, state: 'hands_off', owner: 'reconciler', ownerName: 'argocd', reason: 'argocd owns the key', cure: 'set ignoreDifferences' })],
  workloads: [workload({ name: 'worker', action: 'none' }), workload(), workload({ name: 'mailer', action: 'refused', reason: 'the connector may not restart it', cure: 'grant patch on deployments' })],
  warnings: [{ code: 'one_replica', text: 'Something has one replica.' }],
  estimate: { seconds: 360, steps: [{ step: 'published', seconds: 30, from: 'measured', runs: 4 }], basis: 'Four earlier runs of this account.' },
  lockout: { seconds: 20, until: 'The new pods are ready.' },
  can: { reset: yes, rehearse: yes }, ...part,
})

export const rehearsal = (part: Partial<Rehearsal> = {}): Rehearsal => ({
  accountId: 'a1', accountName: 'app_rw', resourceId: 'r1', resourceName: 'orders-db', state: 'not_ready', reason: 'the connector may not restart shop/mailer', cure: 'grant patch on deployments', at: '2026-11-30T03:10:00Z', nextAt: '2026-12-01T03:10:00Z', actor: 'rotation-scheduler',
  steps: [
    { name: 'login', state: 'done', object: 'app_rw', proved: 'It logs in.' },
    { name: 'write', state: 'done', object: 'shop/db: password', cluster: 'prod-eu', proved: 'A dry run of the write was accepted.' },
    { name: 'restart', state: 'failed', object: 'Deployment shop/mailer', cluster: 'prod-eu', reason: 'It is forbidden.', cure: 'grant patch on deployments' },
  ],
  can: { rehearse: yes }, ...part,
})
