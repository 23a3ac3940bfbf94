import { expect, test } from 'vitest'
import { isFree } from './useKeys'

const pressed = (on: Element, init: KeyboardEventInit = {}) => {
  let free: boolean | undefined
  const hear = (event: KeyboardEvent) => (free = isFree(event))
  document.addEventListener('keydown', hear, { once: true })
  on.dispatchEvent(new KeyboardEvent('keydown', { key: 'g', bubbles: true, ...init }))
  return free
}

test('a key is the page\'s only where nothing is typed and no dialog is open', () => {
  const field = document.createElement('input')
  const part = document.createElement('p')
  document.body.append(field, part)
  expect(pressed(part)).toBe(true)
  expect(pressed(field)).toBe(false)
  expect(pressed(part, { ctrlKey: true })).toBe(false)
  const dialog = document.createElement('section')
  dialog.setAttribute('role', 'dialog')
  document.body.append(dialog)
  expect(pressed(part)).toBe(false)
  field.remove()
  part.remove()
  dialog.remove()
})
