import { useEffect, useRef, useState } from 'react'
import { asProblem, type Problem } from '../../api/problem'
import type { Schemas } from '../../app/api'
import { count } from '../../ui/format'

export type Report = Schemas['Report']
export type Certificate = Schemas['Certificate']

/** The fields of a connection as the form has them, without the token, which is kept apart and dropped with the form. */
export interface ConnectionDraft {
  name: string
  server: string
  trust: 'pem' | 'system'
  ca: string
}

export const firstConnection: ConnectionDraft = { name: '', server: '', trust: 'pem', ca: '' }

/** Why the fields cannot be tested yet, by field; empty when they can. */
export function faultsOf({ name, server, trust, ca }: ConnectionDraft): Partial<Record<keyof ConnectionDraft, string>> {
  const out: Partial<Record<keyof ConnectionDraft, string>> = {}
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(name)) out.name = 'Up to 63 lower-case letters, digits, dots and dashes.'
  if (!/^https:\/\/[^\s/]+/.test(server.trim())) out.server = 'The https address of the API server, such as https://10.2.0.4:6443.'
  if (trust === 'pem' && ca.includes('PRIVATE KEY')) out.ca = 'This holds a private key. Give only the certificates.'
  else if (trust === 'pem' && ca.trim() !== '' && !ca.includes('-----BEGIN CERTIFICATE-----')) out.ca = 'This is not PEM: it begins with -----BEGIN CERTIFICATE-----.'
  return out
}

export const checkTitles: Record<Schemas['Check']['name'], string> = { host: 'Host reachable', api: 'Kubernetes API', token: 'Token and rights' }

const stepTitles: Record<string, string> = {
  url: 'Address',
  dns: 'DNS',
  address: 'Address allowed',
  tcp: 'TCP',
  certificate: 'Certificate',
  version: 'Version',
  token: 'Form of the token',
  identity: 'Who the token is',
  rights: 'Rights',
  'cluster-id': 'Identity of the cluster',
  'same-cluster': 'Same cluster',
}

/** What a part of a check looks at. */
export function stepTitle(name: string): string {
  return stepTitles[name] ?? name
}

/** "9A:41:…": a SHA-256 as openssl writes it. */
export function fingerprint(sha256: string): string {
  return (sha256.toUpperCase().match(/../g) ?? []).join(':')
}

/** Whether the last eight characters that were typed are those of a fingerprint; colons and case do not count. */
export function endsLike(typed: string, sha256: string): boolean {
  const plain = typed.replaceAll(/[\s:]/g, '').toLowerCase()
  return plain.length === 8 && sha256.toLowerCase().endsWith(plain)
}

/** The command that prints the fingerprint on the server itself: of the CA when the certificate signed itself, else of the API server's. */
export function fingerprintCommand({ subject, issuer }: Pick<Certificate, 'subject' | 'issuer'>): string {
  return `openssl x509 -in /etc/kubernetes/pki/${subject === issuer ? 'ca' : 'apiserver'}.crt -noout -fingerprint -sha256`
}

/** How a report went, for the live region. */
export function outcome(report: Report): string {
  if (report.ok) return 'All three checks passed.'
  const passed = (report.checks ?? []).filter(({ state }) => state === 'done').length
  return `${count(passed)} of 3 checks passed.`
}

export interface Checked {
  busy: boolean
  report: Report | undefined
  problem: Problem | undefined
  /** The report is of exactly the fields as they stand. */
  fresh: boolean
  /** It is, and it passed. */
  passed: boolean
  test: () => void
}

interface Tried {
  /** The fields that were sent. They hold the token: plain state of the page, gone with it. */
  fields: string
  report?: Report
  problem?: Problem
  busy: boolean
}

/** Tests fields as they stand, and forgets that they passed as soon as one is changed. */
export function useCheck<Fields>(fields: Fields, run: (fields: Fields, signal: AbortSignal) => Promise<Report>): Checked {
  const [tried, setTried] = useState<Tried>()
  const stop = useRef<AbortController>(undefined)
  useEffect(() => () => stop.current?.abort(), [])
  const now = JSON.stringify(fields)
  const test = () => {
    stop.current?.abort()
    const own = new AbortController()
    stop.current = own
    setTried({ fields: now, busy: true })
    run(fields, own.signal).then(
      (report) => own.signal.aborted || setTried({ fields: now, report, busy: false }),
      (error: unknown) => own.signal.aborted || setTried({ fields: now, problem: asProblem(error), busy: false }),
    )
  }
  const fresh = tried?.fields === now
  return { busy: tried?.busy ?? false, report: tried?.report, problem: tried?.problem, fresh, passed: fresh && tried.report?.ok === true, test }
}
