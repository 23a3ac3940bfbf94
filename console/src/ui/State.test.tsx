import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { type StateObject, type StateOf, states } from '../api/states'
import { draw, expectAccessible } from '../test/render'
import { State, toneOf } from './State'

const all = Object.entries(states).flatMap(([object, words]) =>
  Object.entries(words).map(([word, info]) => ({ object: object as StateObject, word: word as StateOf<StateObject>, info })),
)

test('every word is shown with an icon', async () => {
  const { container } = draw(<>{all.map((s) => <p key={s.object + s.word}><State object={s.object} state={s.word} /></p>)}</>)
  const rows = container.querySelectorAll('p')
  all.forEach((s, i) => {
    expect(rows[i]?.textContent).toBe(s.info.word)
    expect(rows[i]?.querySelectorAll('svg[aria-hidden="true"]')).toHaveLength(1)
  })
  await expectAccessible()
})

test('quiet when well: only what needs a person is a badge', () => {
  const { container } = draw(<>{all.map((s) => <State key={s.object + s.word} object={s.object} state={s.word} />)}</>)
  for (const el of container.querySelectorAll('[data-tone]')) {
    const quiet = ['ok', 'neutral'].includes(el.getAttribute('data-tone') ?? '')
    expect(el.hasAttribute('data-quiet')).toBe(quiet)
  }
})

test('a finding is as loud as it is severe', () => {
  expect(toneOf('finding', 'open', 'low')).toBe('neutral')
  expect(toneOf('finding', 'open', 'medium')).toBe('warn')
  expect(toneOf('finding', 'open')).toBe('danger')
  expect(toneOf('finding', 'fixed', 'high')).toBe('ok')
})

test('what follows the word stands beside it', () => {
  draw(<State object="grant" state="held">by Anna</State>)
  expect(screen.getByText(/held by Anna/)).toBeTruthy()
})
