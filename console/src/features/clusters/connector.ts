import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import type { Scope } from './clusters'

/** The scope as the form has it: the namespaces stay when the whole cluster is chosen for a moment. */
export interface ScopeDraft {
  whole: boolean
  namespaces: readonly string[]
  access: Scope['access']
  restart: boolean
  portForward: boolean
  renewToken: boolean
  replace: boolean
}

export const firstScope: ScopeDraft = { whole: false, namespaces: [], access: 'read-write', restart: true, portForward: false, renewToken: false, replace: false }

const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** Why the scope cannot be asked for yet; undefined when it can. */
export function scopeFault({ whole, namespaces }: ScopeDraft): string | undefined {
  if (whole) return undefined
  if (namespaces.length === 0) return 'Name at least one namespace, or choose the whole cluster.'
  const wrong = namespaces.find((name) => !namespaceName.test(name))
  return wrong === undefined ? undefined : `“${wrong}” is not the name of a namespace: lower-case letters, digits and dashes.`
}

/** Tags as typed or pasted, split where a person separates them, each once. */
export function wordsOf(tags: readonly string[]): string[] {
  return [...new Set(tags.flatMap((tag) => tag.split(/[,\s]+/)).filter(Boolean))]
}

/** Who replaces immutable Secrets writes Secrets and restarts what reads them. */
export const mayReplace = ({ access, restart }: ScopeDraft) => access === 'read-write' && restart

export function scopeOf(draft: ScopeDraft): Scope {
  const { whole, namespaces, access, restart, portForward, renewToken, replace } = draft
  return { namespaces: whole ? [] : [...namespaces], access, restart, portForward, ...(renewToken && { renewToken }), ...(replace && mayReplace(draft) && { replace }) }
}

export function draftOf({ namespaces, access, restart, portForward, renewToken, replace }: Scope): ScopeDraft {
  const names = namespaces ?? []
  return { whole: names.length === 0, namespaces: names, access, restart: restart ?? false, portForward: portForward ?? false, renewToken: renewToken ?? false, replace: replace ?? false }
}

/** One line of rights with the reason that the manifest gives for it. */
export interface Rule {
  why: string
  verbs: readonly string[]
  resources: readonly string[]
  /** The namespaces it holds in; none is the whole cluster. */
  namespaces: readonly string[]
  /** The only objects that it reaches; none is all. */
  names: readonly string[]
}

const list = (text: string) => text.split(',').map((part) => part.trim()).filter(Boolean)

/** The rules of a manifest in its own words, equal ones of several namespaces once. The manifest is the only source of them. */
export function rulesOf(manifest: string): Rule[] {
  const rules = new Map<string, Rule>()
  for (const document of manifest.split(/^---$/m)) {
    if (!/^kind: (Cluster)?Role$/m.test(document)) continue
    const namespace = /^ {2}namespace: (.+)$/m.exec(document)?.[1]
    for (const part of document.slice(document.indexOf('\nrules:')).split(/^# /m).slice(1)) {
      const field = (name: string) => list(new RegExp(`^ +${name}: \\[(.*)\\]$`, 'm').exec(part)?.[1] ?? '')
      const rule = { why: part.split('\n', 1)[0] ?? '', verbs: field('verbs'), resources: field('resources'), names: field('resourceNames') }
      const key = JSON.stringify(rule)
      const known = rules.get(key)?.namespaces ?? []
      rules.set(key, { ...rule, namespaces: namespace === undefined ? known : [...known, namespace] })
    }
  }
  return [...rules.values()]
}

/** The address that answers with the manifest as a file. */
export function manifestAddress({ namespaces, access, restart, portForward, renewToken, replace }: Scope): string {
  const query = new URLSearchParams({ access, restart: String(restart ?? false) })
  if (portForward) query.set('portForward', 'true')
  if (renewToken) query.set('renewToken', 'true')
  if (replace) query.set('replace', 'true')
  if (namespaces?.length) query.set('namespaces', namespaces.join(','))
  return `/api/v1/connector?${query.toString()}`
}

/** The manifest for a scope; what stood before stays while another is read. */
export function useManifest(scope: Scope, enabled: boolean) {
  const api = useApi()
  return useQuery({
    queryKey: keys.one('cluster', manifestAddress(scope)),
    queryFn: async ({ signal }) =>
      bodyOf(
        await api.GET('/api/v1/connector', {
          params: { query: { namespaces: scope.namespaces?.length ? scope.namespaces : undefined, access: scope.access, restart: scope.restart, portForward: scope.portForward, renewToken: scope.renewToken, replace: scope.replace } },
          querySerializer: { array: { style: 'form', explode: false } },
          parseAs: 'text',
          signal,
        }),
      ),
    enabled,
    placeholderData: keepPreviousData,
  })
}

/** What the person runs, in order. The token's line ends without a line break, so that it can be copied whole. */
export const commands = {
  apply: 'kubectl apply -f keyturn-config.yaml',
  token: "kubectl -n keyturn get secrets/keyturn-token -o jsonpath='{.data.token}'; echo",
  ca: "kubectl -n keyturn get secrets/keyturn-token -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt",
  server: "kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'; echo",
} as const
