import { expect, test } from 'vitest'
import { cssOnly, pageNonce } from './csp'

test('styles pass, markup does not', () => {
  expect(cssOnly(':root { --a: 1px }')).toBe(':root { --a: 1px }')
  expect(() => cssOnly('<img src=x onerror=alert(1)>')).toThrow(TypeError)
})

test('the nonce is read from its tag', () => {
  expect(pageNonce()).toBeUndefined()
  const tag = document.createElement('meta')
  tag.setAttribute('property', 'csp-nonce')
  tag.nonce = 'n1'
  document.head.append(tag)
  expect(pageNonce()).toBe('n1')
  tag.remove()
})
