import { expect, test } from 'vitest'
import { endsLike, faultsOf, fingerprint, fingerprintCommand, firstConnection } from './check'
import { draftOf, firstScope, manifestAddress, rulesOf, scopeFault, scopeOf, wordsOf } from './connector'

const role = (namespace: string) => `---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: keyturn
  namespace: ${namespace}
rules:
# Read Secrets.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list]
`
const manifest = `# What Keyturn needs.
apiVersion: v1
kind: Namespace
metadata:
  name: keyturn
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: keyturn-cluster-id
rules:
# Know the cluster again.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: keyturn-cluster-id
${role('billing')}${role('shop')}`

test('the rules are those of the manifest, equal ones once', () => {
  expect(rulesOf(manifest)).toEqual([
    { why: 'Know the cluster again.', verbs: ['get'], resources: ['namespaces'], names: ['kube-system'], namespaces: [] },
    { why: 'Read Secrets.', verbs: ['get', 'list'], resources: ['secrets'], names: [], namespaces: ['billing', 'shop'] },
  ])
  expect(rulesOf('')).toEqual([])
})

test('a scope is asked for when it names something that can be', () => {
  expect(scopeFault(firstScope)).toMatch(/at least one namespace/)
  expect(scopeFault({ ...firstScope, namespaces: ['Shop'] })).toMatch(/Shop/)
  expect(scopeFault({ ...firstScope, whole: true, namespaces: ['Shop'] })).toBeUndefined()
  expect(scopeOf({ ...firstScope, whole: true, namespaces: ['shop'] }).namespaces).toEqual([])
  const scope = { namespaces: ['shop'], access: 'read-only' as const, restart: false, portForward: false }
  expect(scopeOf(draftOf(scope))).toEqual(scope)
  expect(manifestAddress({ ...scope, namespaces: ['shop', 'billing'] })).toBe('/api/v1/connector?access=read-only&restart=false&namespaces=shop%2Cbilling')
  expect(wordsOf(['shop, billing', 'shop', ' '])).toEqual(['shop', 'billing'])
})

test('Secrets are replaced only where they are written and read anew', () => {
  const wanted = { ...firstScope, namespaces: ['shop'], replace: true }
  expect(scopeOf(wanted)).toMatchObject({ replace: true })
  expect(manifestAddress(scopeOf(wanted))).toContain('replace=true')
  for (const less of [{ access: 'read-only' as const }, { restart: false }]) expect(scopeOf({ ...wanted, ...less })).not.toHaveProperty('replace')
})

test('a certificate is taken only by its last eight characters', () => {
  const sum = '9a'.repeat(28) + '41c0ff7e'
  expect(fingerprint(sum)).toMatch(/^9A:9A:.*:41:C0:FF:7E$/)
  expect(endsLike('41:C0:ff:7E', sum)).toBe(true)
  expect(endsLike('41c0ff7e', sum)).toBe(true)
  for (const typed of ['', 'ff:7e', '41c0ff7f', '9a41c0ff7e']) expect(endsLike(typed, sum)).toBe(false)
  expect(fingerprintCommand({ subject: 'CN=a', issuer: 'CN=a' })).toContain('/ca.crt')
  expect(fingerprintCommand({ subject: 'CN=a', issuer: 'CN=b' })).toContain('/apiserver.crt')
})

test('fields that cannot be tested say why', () => {
  const good = { ...firstConnection, name: 'prod-us', server: 'https://10.2.0.4:6443' }
  expect(faultsOf(good)).toEqual({})
  expect(Object.keys(faultsOf({ ...good, name: 'Prod', server: 'http://x', ca: 'x' }))).toEqual(['name', 'server', 'ca'])
  expect(faultsOf({ ...good, ca: '-----BEGIN PRIVATE KEY-----' }).ca).toMatch(/private key/)
  expect(faultsOf({ ...good, trust: 'system', ca: 'x' })).toEqual({})
})
