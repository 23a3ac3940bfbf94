import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeRouter, takeSetupToken } from '../app/router'
import { draw, expectAccessible } from '../test/render'
import { partMissing } from '../api/problem'
import { FailedPage, LoginPage, safeNext, SealedPage, SetupPage } from './pages'

const answers: Response[] = []
const sent: Request[] = []
beforeEach(() => {
  answers.length = sent.length = 0
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push(request)
    return answers.shift() ?? new Response(null, { status: 204 })
  })
})
afterEach(() => vi.unstubAllGlobals())

const problem = (status: number, body: object) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json' } })
const type = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } })
const press = (name: string) => act(async () => void fireEvent.click(screen.getByRole('button', { name })))

test('login asks for the second factor only when the server wants it', async () => {
  const done = vi.fn()
  answers.push(problem(401, { type: 'second-factor-required' }))
  draw(<LoginPage onDone={done} />)
  expect(document.activeElement?.textContent).toBe('Sign in')
  type('Name', 'anna')
  type('Password', 'pw & <x>')
  await press('Sign in')
  type('Second factor', '123456')
  await press('Sign in')
  await waitFor(() => expect(done).toHaveBeenCalledTimes(1))
  expect(await sent[1]?.json()).toEqual({ name: 'anna', password: 'pw & <x>', code: '123456' })
  await expectAccessible()
})

test('a refused login says so and stays', async () => {
  const done = vi.fn()
  answers.push(problem(401, { type: 'wrong-pair', title: 'Name or password is wrong' }))
  draw(<LoginPage onDone={done} />)
  type('Name', 'anna')
  type('Password', 'x')
  await press('Sign in')
  expect((await screen.findByRole('alert')).textContent).toContain('Name or password is wrong')
  expect(done).not.toHaveBeenCalled()
})

test('setup sends nothing until both passwords are equal', async () => {
  const done = vi.fn()
  draw(<SetupPage token="t0" onDone={done} />)
  type('Name', 'anna')
  type('Password', 'one')
  type('Password again', 'two')
  await press('Make the administrator')
  expect(sent).toHaveLength(0)
  type('Password again', 'one')
  await press('Make the administrator')
  await waitFor(() => expect(done).toHaveBeenCalled())
  expect(await sent[0]?.json()).toEqual({ code: 't0', name: 'anna', password: 'one' })
  await expectAccessible()
})

test('the one-time token leaves the address bar at once', () => {
  history.replaceState(null, '', '/setup#abc')
  expect(takeSetupToken()).toBe('abc')
  expect(location.href).not.toContain('abc')
  expect(takeSetupToken()).toBe('')
})

test('sealed says why, and takes a passphrase only where one opens it', async () => {
  answers.push(Response.json({ sealed: true, cause: 'The root key file is missing.', passphrase: false }))
  draw(<SealedPage onOpen={() => {}} />)
  expect(await screen.findByText(/root key file is missing/)).toBeTruthy()
  expect(screen.queryByLabelText('Passphrase')).toBeNull()
  answers.push(Response.json({ sealed: true, passphrase: true }))
  await press('Check again')
  expect(await screen.findByLabelText('Passphrase')).toBeTruthy()
  await expectAccessible()
})

test('when it cannot be asked, it is not said to be sealed', async () => {
  answers.push(problem(502, {}))
  draw(<SealedPage onOpen={() => {}} />)
  expect((await screen.findByRole('alert')).textContent).toContain('502')
  expect(screen.queryByText('Keyturn is sealed')).toBeNull()
})

test('an unknown address is not found; a fault shows no message of its own', async () => {
  draw(<RouterProvider router={makeRouter('', { history: createMemoryHistory({ initialEntries: ['/nowhere'] }) })} />)
  expect(await screen.findByText('No such page')).toBeTruthy()
  draw(<FailedPage error={new Error('hunter2')} />)
  expect(document.body.textContent).not.toContain('hunter2')
})

test('a page that did not load says so, and not that the console is at fault', () => {
  draw(<FailedPage error={partMissing()} />)
  expect(screen.getByRole('heading', { name: 'This page could not be loaded' })).toBeTruthy()
  expect(screen.getByRole('alert').textContent).toContain('Check your connection')
})

test('a login leads only to pages of this console', () => {
  expect(safeNext('/runs?state=running')).toBe('/runs?state=running')
  for (const bad of ['//evil.test', '/\\evil.test', 'https://evil.test', 'javascript:1', '/\t/evil.test', 7, undefined]) {
    expect(safeNext(bad).startsWith('//')).toBe(false)
    expect(new URL(safeNext(bad), location.origin).origin).toBe(location.origin)
  }
})
