import { fireEvent, screen, within } from '@testing-library/react'
import { act } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { expectAccessible } from '../../test/render'
import { drawPage } from '../settings/testing'
import { replacement, rolling, run } from './fixtures'
import type { Run } from './run'
import { RunPage } from './RunPage'
import { replacedText, switchedText } from './RunReplacements'

afterEach(() => vi.unstubAllGlobals())

const at = (first: Run) => drawPage('/runs/$run', '/runs/0190aaaa-7f3a91', RunPage, () => ({ status: 200, body: first }))
const section = async () => within(await screen.findByRole('region', { name: 'Replaced Secrets' }))
const rows = (part: ReturnType<typeof within>) => within(part.getByRole('list', { name: 'Replaced Secrets' })).getAllByRole('listitem')

test('that all old ones are gone is said only when it is so of each', () => {
  const gone = replacement({ state: 'done' })
  expect(replacedText([gone])).toBe('1 Secret: another has taken the place of each, and the old one is deleted.')
  expect(replacedText([gone, replacement()])).toBe('2 Secrets: 1 of 2 done.')
  expect(replacedText([gone, replacement({ state: 'failed', held: 'why' }), replacement({ held: 'why' }), replacement({ state: 'skipped' })])).toBe('4 Secrets: 1 of 4 done, 1 failed, 1 held back, 1 kept.')
  expect(replacedText([replacement({ state: 'skipped' })])).toBe('1 Secret: the old one was kept, since the run ended before.')
  expect(switchedText({ consumers: 0, switched: 0 })).toBe('no consumers')
  expect(switchedText({ consumers: 1200, switched: 3 })).toBe('3 of 1,200 switched')
})

test('a run that replaces none has no such part', async () => {
  await at(run({ replacements: [] }))
  await screen.findByRole('region', { name: 'Consumers' })
  expect(screen.queryByRole('region', { name: 'Replaced Secrets' })).toBeNull()
})

test('while it works: which Secret by which name, its state, who is on it and what happens to the old one', async () => {
  await at(rolling('running', { replacements: [replacement(), replacement({ secret: 'cache', instead: 'cache-3', state: 'to_do', consumers: 0, switched: 0, old: 'It stays as it is' })] }))
  expect(rows(await section()).map((row) => row.textContent)).toEqual([
    expect.stringMatching(/^east\/shop\/db by db-1 ?running2 of 3 switched.*The old one: It is deleted next, if nothing names it any more\.$/),
    expect.stringMatching(/^east\/shop\/cache by cache-3 ?to dono consumers.*The old one: It stays as it is\.$/),
  ])
  await expectAccessible()
})

test('done: every old one is deleted', async () => {
  await at(rolling('done', { state: 'done', endedAt: '2026-01-01T10:00:20Z', replacements: [replacement({ state: 'done', switched: 3, old: 'It was deleted.' })] }))
  const part = await section()
  expect(part.getByText(/and the old one is deleted\.$/)).toBeTruthy()
  expect(rows(part)[0]?.textContent).toMatch(/done3 of 3 switched.*It was deleted\.$/)
  await expectAccessible()
})

test('what needs attention comes first and says what holds it back', async () => {
  await at(rolling('done', { state: 'needs_attention', reason: 'The replaced Secret shop/db is kept: Job shop/once names it', replacements: [
    replacement({ secret: 'a', instead: 'a-1', held: 'The run stands still for another reason.' }),
    replacement({ state: 'failed', held: 'The replaced Secret shop/db is kept: Job shop/once names it' }),
  ] }))
  const part = await section()
  expect(part.getByText('2 Secrets: 0 of 2 done, 1 failed, 1 held back.')).toBeTruthy()
  expect(rows(part).map((row) => row.textContent)).toEqual([
    expect.stringMatching(/^east\/shop\/db by db-1 ?failed.*Held back: The replaced Secret shop\/db is kept: Job shop\/once names it\./),
    expect.stringMatching(/^east\/shop\/a by a-1 ?running.*Held back: The run stands still for another reason\./),
  ])
  await expectAccessible()
})

test('of hundreds few rows are drawn until all are asked for', async () => {
  await at(rolling('running', { replacements: Array.from({ length: 150 }, (_, i) => replacement({ secret: `s${String(i)}`, instead: `s${String(i)}-1` })) }))
  const part = await section()
  expect(rows(part)).toHaveLength(100)
  await act(async () => void fireEvent.click(part.getByRole('button', { name: 'Show all 150' })))
  expect(rows(part)).toHaveLength(150)
})
