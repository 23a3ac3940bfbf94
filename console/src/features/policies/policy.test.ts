import { expect, test } from 'vitest'
import { changeOf, draftOf, lines, newDraft, newPolicyOf, passwordOf, rotationOf } from './draft'
import { builtIn, policy } from './fixtures'
import { assignmentParts, followersText, inWords, inZone, type Rotation, turnsText, valueText, wavesText, windowsText } from './policy'

test('a policy is read out in words', () => {
  expect(inWords(policy())).toBe('Values are changed every 30d; a login is tried each day. A value is 40 characters of all classes, about 194 bits.')
  expect(inWords({ ...policy(), rotation: {} })).toMatch(/^No value is changed by itself; a login/)
  expect(turnsText({})).toBe('never by itself')
  expect(turnsText({ cron: '30 3 * * sun', maxAge: '90d', onReveal: '8h' })).toBe('cron 30 3 * * sun, at most 90d old, 8h after a reveal')
  expect(windowsText({})).toBe('at any time')
  expect(windowsText({ windows: ['22:00-04:00'] })).toBe('22:00-04:00 (UTC)')
  expect(valueText({ words: 5 })).toBe('5 words, joined by -')
  expect(valueText({ alphabets: ['lower', 'digits'] })).toBe('32 characters of lower, digits')
  expect(wavesText({ wavePause: '30m' })).toBeUndefined()
  expect(wavesText(policy().rotation)).toBe('first stage-*, 25% of the others at a time, each wave waits until somebody resumes the run')
  expect(followersText(policy())).toBe('14 accounts follow it; 2 are overdue.')
  expect(followersText({ accounts: 0 })).toBe('No account follows it.')
  expect(assignmentParts({ id: 'x', by: 'resource', pattern: 'r1', name: 'orders-db' })).toEqual({ words: 'Every account of resource', name: 'orders-db' })
})

test('a time stands in the zone of the policy, across summer time; an unknown zone gives UTC', () => {
  const now = Date.parse('2026-07-01T00:00:00Z')
  expect(inZone('2026-07-03T18:00:00Z', 'Europe/Berlin', now)).toMatch(/^Fri 3 Jul 20:00 (CEST|GMT\+2)$/)
  expect(inZone('2026-12-04T19:00:00Z', 'Europe/Berlin', now)).toMatch(/^Fri 4 Dec 20:00 (CET|GMT\+1)$/)
  expect(inZone('2027-01-08T19:00:00Z', undefined, now)).toBe('Fri 8 Jan 2027 19:00 UTC')
  expect(inZone('2026-12-04T19:00:00Z', 'Nowhere/Else', now)).toBe('Fri 4 Dec 19:00 UTC')
})

test('a draft gives back what it was made from', () => {
  // The form sends rules as a whole: one that it does not know would be lost. Naming each here makes the compiler notice.
  const all = policy({
    password: { length: 20, alphabets: ['lower', 'digits'], exclude: '', require: { lower: 2, digits: 0 }, first: ['lower'], forbid: ['acme, inc', 'orders'], forbidName: true },
    rotation: { cron: '30 3 * * sun', zone: 'UTC', windows: ['22:00-04:00', 'Sat 00:00-Mon 00:00'], blackouts: [{ from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z', why: 'holidays' }], jitter: '6h', maxAge: '90d', onReveal: '8h', heartbeat: 'off', reconcile: ['refused'], rehearse: '12h', canary: ['stage-*', 'test'], waveSize: '3', wavePause: '30m', restartOrder: ['*/StatefulSet/*'], restartWindows: ['Sat 02:00-Sat 05:00'], onStuck: 'rollback', immutable: 'replace' } satisfies Required<Omit<Rotation, 'every'>>,
  })
  expect(rotationOf(draftOf(all))).toEqual(all.rotation)
  expect(passwordOf(draftOf(all))).toEqual(all.password)
  expect(passwordOf(draftOf(policy({ password: { words: 5, separator: '.' } })))).toEqual({ words: 5, separator: '.' })
  expect(changeOf(draftOf(all), draftOf(all))).toBeUndefined()
  expect(changeOf(draftOf(builtIn), draftOf(builtIn))).toBeUndefined()
})

test('only the parts that differ are sent, and a part as a whole', () => {
  const base = draftOf(policy())
  expect(changeOf(base, { ...base, description: 'of production', history: '9' })).toEqual({ description: 'of production', history: 9 })
  expect(changeOf(base, { ...base, every: '', cron: '0 3 * * *' })).toEqual({ rotation: { ...policy().rotation, every: undefined, cron: '0 3 * * *' } })
  expect(newPolicyOf({ ...newDraft, name: ' prod ' })).toMatchObject({ name: 'prod', rotation: { every: '30d' }, history: 0 })
  expect(lines(' a \n\nb, c')).toEqual(['a', 'b', 'c'])
})
