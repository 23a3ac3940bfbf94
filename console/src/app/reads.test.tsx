import type { ComponentType } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { RunPage } from '../features/runs/RunPage'
import { SecretsPage } from '../features/secrets/SecretsPage'
import { drawPage } from '../test/page'
import reads from './reads.json'

afterEach(() => vi.unstubAllGlobals())

const drawn: Record<keyof typeof reads, { at: string; page: ComponentType }> = {
  '/secrets': { at: '/secrets', page: SecretsPage },
  '/runs/$run': { at: '/runs/0190aaaa-7f3a91', page: RunPage },
}

// The browser reads these before the page runs. A page that asked for anything else would be read for twice.
test.each(Object.entries(drawn))('%s reads first what the server lets the browser read ahead', async (route, { at, page }) => {
  const { asked } = await drawPage({ route, at, page, answer: () => undefined })
  const wanted = reads[route as keyof typeof reads].replace('$run', '0190aaaa-7f3a91')
  expect(asked.map(({ path, search }) => `/api/v1${path}${search}`)[0]).toBe(wanted)
})
