import { act, fireEvent, screen } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { draw, expectAccessible } from '../test/render'
import { absolute, bytes, count, duration, keySize, middle, relative, sentence, shortId } from './format'
import { defaults, loadPreferences, PreferencesContext, savePreferences } from './preferences'
import { Time } from './Time'

const at = Date.UTC(2026, 10, 12, 14, 2, 11)

test('relative up to seven days', () => {
  const ago = (ms: number) => relative(at, at + ms)
  expect(ago(0)).toBe('now')
  expect(ago(59_000)).toBe('59 s ago')
  expect(ago(4 * 60_000 + 59_000)).toBe('4 min ago')
  expect(ago(23 * 3_600_000)).toBe('23 h ago')
  expect(ago(6 * 86_400_000)).toBe('6 d ago')
  expect(ago(7 * 86_400_000)).toBeUndefined()
  expect(ago(-3 * 3_600_000)).toBe('in 3 h')
})

test('absolute, with zone, seconds and another year when asked', () => {
  expect(absolute(at, 'utc', { now: at })).toBe('12 Nov 14:02 UTC')
  expect(absolute(at, 'utc', { now: at, seconds: true })).toBe('12 Nov 14:02:11 UTC')
  expect(absolute(at, 'utc', { now: at + 86_400_000 * 365 })).toBe('12 Nov 2026 14:02 UTC')
})

test('amounts', () => {
  expect([0, 20_000, 320_000, 3_600_000, 90_061_000].map(duration)).toEqual(['0 s', '20 s', '5 min 20 s', '1 h', '1 d 1 h'])
  expect(count(1204551)).toBe('1,204,551')
  expect([999, 12_400, 2_500_000].map(bytes)).toEqual(['999 B', '12.4 kB', '2.5 MB'])
  expect([1, 64, 65, 1024, 1025].map(keySize)).toEqual(['≤ 64 B', '≤ 64 B', '≤ 256 B', '≤ 1 kB', '≤ 4 kB'])
  expect(shortId('01930000-0000-7000-8000-0000007f3a91')).toBe('7f3a91')
  expect(middle('payment-gateway-credentials', 15)).toBe('payment…entials')
  expect(middle('short', 15)).toBe('short')
  expect(Array.from(middle('𝔸𝔹ℂ𝔻𝔼𝔽', 3))).toHaveLength(3)
})

test('a sentence ends, and what can be copied stays as it is', () => {
  expect(['it is locked', 'it is locked.', 'why?', 'run kubectl get -o yaml', 'look at /var/log', ''].map(sentence)).toEqual(['It is locked.', 'It is locked.', 'Why?', 'Run kubectl get -o yaml.', 'Look at /var/log', ''])
})

test('shows a time element that grows older, with both zones on focus', async () => {
  vi.useFakeTimers({ now: at + 4 * 60_000 })
  draw(<Time at={new Date(at).toISOString()} />)
  const time = screen.getByText('4 min ago')
  expect(time.getAttribute('datetime')).toBe('2026-11-12T14:02:11.000Z')
  for (let i = 0; i < 2; i++) act(() => void vi.advanceTimersByTime(30_000))
  expect(time.textContent).toBe('5 min ago')
  fireEvent.focus(time)
  act(() => void vi.advanceTimersByTime(10))
  expect(screen.getByRole('tooltip').textContent).toContain('12 Nov 14:02:11 UTC')
  vi.useRealTimers()
  await expectAccessible()
})

test('exact times follow the zone setting', () => {
  draw(
    <PreferencesContext value={{ preferences: { ...defaults, zone: 'utc' }, change: () => {} }}>
      <Time at={at} as="exact" />
    </PreferencesContext>,
  )
  expect(screen.getByText(/14:02:11 UTC$/)).toBeTruthy()
})

test('a time that cannot be read is said so', () => {
  draw(<Time at="never" />)
  expect(screen.getByText('time not known')).toBeTruthy()
})

test('preferences are kept, and damaged ones forgotten', () => {
  savePreferences({ ...defaults, zone: 'utc', compact: true })
  expect(loadPreferences()).toEqual({ ...defaults, zone: 'utc', compact: true })
  localStorage.setItem('keyturn-layout', '{"zone":"mars","compact":"yes"}')
  expect(loadPreferences()).toEqual(defaults)
  localStorage.setItem('keyturn-layout', '{')
  expect(loadPreferences()).toEqual(defaults)
})
