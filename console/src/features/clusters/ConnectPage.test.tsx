import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { ConnectPage } from './ConnectPage'
import { type Answers, cluster, drawPage, refused } from './testing'

afterEach(() => vi.unstubAllGlobals())

const canary = 'kt-canary-"&<7%'
const passed = { ok: true, checks: ['host', 'api', 'token'].map((name) => ({ name, state: 'done', steps: [] })) }
const sum = '9a'.repeat(28) + '41c0ff7e'
const untrusted = {
  ok: false,
  checks: [
    { name: 'host', state: 'failed', steps: [{ name: 'certificate', state: 'failed', cause: 'It is not signed by the CA.', cure: 'Compare it.' }] },
    { name: 'api', state: 'to_do', steps: [] },
    { name: 'token', state: 'to_do', steps: [] },
  ],
  chain: [{ subject: 'CN=a', issuer: 'CN=a', notAfter: '2027-03-01T00:00:00Z', sha256: sum, pem: '-----BEGIN CERTIFICATE-----\nnew\n' }],
}
const button = (name: string | RegExp) => screen.getByRole<HTMLButtonElement>('button', { name })
const fill = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } })
const press = (name: string | RegExp) => act(async () => void fireEvent.click(button(name)))

async function atConnect(answers: Answers) {
  const drawn = await drawPage('/clusters/new', ConnectPage, '/clusters/new', { 'GET /connector': () => 'kind: ClusterRole\nrules:\n# Read Secrets.\n', ...answers })
  await act(async () => void fireEvent.click(screen.getByLabelText(/The whole cluster/)))
  await press('Next: apply them')
  await act(async () => void fireEvent.click(screen.getByRole('link', { name: 'Next: connect and test' })))
  fill('Name', 'prod-us')
  fill('API server URL', 'https://10.2.0.4:6443')
  fill('Token', canary)
  return drawn
}

test('the right to restart workloads says what it is for, and what is missing without it', async () => {
  const { asked } = await drawPage('/clusters/new', ConnectPage, '/clusters/new', { 'GET /connector': () => 'kind: ClusterRole\nrules:\n# Read Secrets.\n' })
  const box = await screen.findByRole('checkbox', { name: 'May restart workloads' })
  expect(box).toHaveProperty('checked', true)
  const says = document.getElementById(box.getAttribute('aria-describedby')?.split(' ')[0] ?? '')?.textContent
  expect(says).toMatch(/watched until no pod is left from before\. Without it Keyturn does not look who reads the keys\.$/)
  await act(async () => void fireEvent.click(screen.getByLabelText(/The whole cluster/)))
  await act(async () => void fireEvent.click(box))
  await waitFor(() => expect(asked.at(-1)?.query.get('restart')).toBe('false'))
})

test('only what was tested as it stands can be saved, and then Secrets are chosen', async () => {
  const { asked, router } = await atConnect({ 'POST /clusters/test': () => passed, 'POST /clusters': () => cluster() })
  expect(button('Save').disabled).toBe(true)
  await press('Test')
  await screen.findByText('All three checks passed.')
  expect(button('Save').disabled).toBe(false)
  fill('API server URL', 'https://10.2.0.5:6443')
  expect(button('Save').disabled).toBe(true)
  expect(screen.getByText('The fields changed since this test. Test again.')).toBeTruthy()
  fill('API server URL', 'https://10.2.0.4:6443')
  fill('Name', 'prod-eu') // is no part of the test
  await expectAccessible()
  await press('Save')
  expect(asked.at(-1)?.path === '/clusters' || asked.some(({ method, path }) => method === 'POST' && path === '/clusters')).toBe(true)
  const sent = asked.find(({ method, path }) => method === 'POST' && path === '/clusters')
  expect(sent?.body).toEqual({ name: 'prod-eu', server: 'https://10.2.0.4:6443', ca: '', token: canary, scope: { namespaces: [], access: 'read-write', restart: true, portForward: false } })
  await waitFor(() => expect(router.state.location.pathname).toBe('/clusters/prod-us/fetch'))
})

test('the token is in no address, cache or text of the page, and does not survive going back; the rest does', async () => {
  const { client, router } = await atConnect({ 'POST /clusters/test': () => passed })
  await press('Test')
  await screen.findByText('All three checks passed.')
  expect(document.body.textContent).not.toContain(canary)
  expect(JSON.stringify([client.getQueryCache().getAll().map((q) => [q.queryKey, q.state.data]), client.getMutationCache().getAll(), router.state.location])).not.toContain('kt-canary')
  await act(async () => void fireEvent.click(screen.getByRole('link', { name: 'Back' })))
  await act(async () => void fireEvent.click(screen.getByRole('link', { name: 'Next: connect and test' })))
  expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('prod-us')
  expect(screen.getByLabelText<HTMLInputElement>('Token').value).toBe('')
  expect(button('Save').disabled).toBe(true)
})

test('a certificate is taken as the CA only after its end was typed', async () => {
  await atConnect({ 'POST /clusters/test': () => untrusted })
  await press('Test')
  expect(await screen.findByText('It is not signed by the CA.')).toBeTruthy()
  await press('Use this CA…')
  expect(button('Use this CA').disabled).toBe(true)
  fill('The last 8 characters that the server printed', '00:00:00:00')
  expect(screen.getByText('They differ. Do not use this certificate.')).toBeTruthy()
  fill('The last 8 characters that the server printed', '41:C0:FF:7E')
  await press('Use this CA')
  expect(screen.getByLabelText<HTMLTextAreaElement>('CA as PEM').value).toContain('new')
  expect(button('Save').disabled).toBe(true)
})

test('a cluster that was removed is attached again; one that is connected is not connected twice', async () => {
  let removed = false
  const { asked } = await atConnect({ 'POST /clusters/test': () => ({ ...passed, known: 'old', removed }), 'POST /clusters': () => refused(409, 'cluster-known', { cure: 'Open it.' }) })
  await press('Test')
  await screen.findByText(/cannot be connected twice/)
  expect(screen.getByText('It is connected already, as old.')).toBeTruthy()
  expect(button('Save').disabled).toBe(true)
  removed = true
  await press('Test')
  await screen.findByText(/still here/)
  await press('Attach again')
  expect(asked.at(-1)?.body).toMatchObject({ reattach: true })
  expect((await screen.findByRole('alert')).textContent).toContain('Open it.')
})

test('missing rights are listed, with what adds them', async () => {
  const lacking = { ...passed, ok: false, checks: [...passed.checks.slice(0, 2), { name: 'token', state: 'failed', steps: [{ name: 'rights', state: 'failed', cause: 'It lacks 1.' }] }], missing: ['patch secrets in namespace billing'], missingManifest: 'kind: Role' }
  await atConnect({ 'POST /clusters/test': () => lacking })
  await press('Test')
  expect(await screen.findByText('patch secrets in namespace billing')).toBeTruthy()
  expect(button('Download the difference')).toBeTruthy()
})
