import { expect, test, vi } from 'vitest'
import { whenAtRest } from './schemes'

test('another tab is heard once the page has come to rest, and not after it was left', () => {
  vi.useFakeTimers()
  const subscribe = vi.fn()
  const unsubscribe = vi.fn()
  const schemes = whenAtRest({ get: () => 'dark', set: () => {}, clear: () => {}, subscribe, unsubscribe })
  const hear = () => {}
  schemes.subscribe(hear)
  expect(subscribe).not.toHaveBeenCalled()
  vi.runAllTimers()
  expect(subscribe).toHaveBeenCalledExactlyOnceWith(hear)
  schemes.subscribe(hear)
  schemes.unsubscribe()
  vi.runAllTimers()
  expect(subscribe).toHaveBeenCalledOnce()
  expect(unsubscribe).toHaveBeenCalledOnce()
})
