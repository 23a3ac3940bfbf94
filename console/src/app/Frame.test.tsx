import { QueryClientProvider } from '@tanstack/react-query'
import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { drawAt } from '../test/route'
import { Frame } from './Frame'
import { makeQueryClient } from './query'
import { SessionWatch } from './session'

afterEach(() => vi.unstubAllGlobals())

const problem = (status: number, type: string) =>
  new Response(JSON.stringify({ type }), { status, headers: { 'Content-Type': 'application/problem+json' } })

async function drawFrame(answer: (path: string) => Response) {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (input: string | Request) => {
    const path = typeof input === 'string' ? input : new URL(input.url).pathname
    asked.push(path)
    return answer(path)
  })
  const [watch, onLeave, client] = [new SessionWatch(), vi.fn(), makeQueryClient()]
  const drawn = await drawAt('/clusters', () => (
    <QueryClientProvider client={client}>
      <Frame watch={watch} user={{ name: 'anna' }} visible={['overview']} onStay={async () => {}} onSignOut={() => {}} onLeave={onLeave}>
        <label>Draft<input defaultValue="half a note" /></label>
      </Frame>
    </QueryClientProvider>
  ))
  return { ...drawn, asked, watch, onLeave }
}

test('a 401 of the stream covers the page once; signing in goes on and follows again', async () => {
  let signedIn = false
  const { asked } = await drawFrame((path) => {
    if (path === '/api/v1/session') {
      signedIn = true
      return new Response(null, { status: 204 })
    }
    return signedIn ? new Response(new ReadableStream(), { status: 200 }) : problem(401, 'signed-out')
  })
  await waitFor(() => expect(document.querySelector('dialog')).toBeTruthy())
  expect(asked).toHaveLength(1)
  fireEvent.change(screen.getByLabelText('Password'), { target: { value: 'x' } })
  await act(async () => void fireEvent.click(screen.getByRole('button', { name: 'Sign in' })))
  await waitFor(() => expect(document.querySelector('dialog')).toBeNull())
  expect(screen.getByLabelText<HTMLInputElement>('Draft').value).toBe('half a note')
  await waitFor(() => expect(screen.getByText('live')).toBeTruthy())
  expect(asked.slice(1)).toEqual(['/api/v1/session', '/api/v1/events?after=0'])
})

test('a sealed server leads to its page', async () => {
  const { onLeave } = await drawFrame(() => problem(503, 'sealed'))
  await waitFor(() => expect(onLeave).toHaveBeenCalledWith('/sealed'))
})
