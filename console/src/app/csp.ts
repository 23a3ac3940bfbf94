import { setNonce } from 'get-nonce'

interface Policies {
  createPolicy: (name: string, rules: { createHTML: (text: string) => string }) => unknown
}

/** The nonce of this answer, from the tag that the build left for it. */
export function pageNonce(): string | undefined {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce || undefined
}

/** Mantine writes its styles through innerHTML: text without markup passes, anything with `<` is refused. */
export function cssOnly(text: string): string {
  if (text.includes('<')) throw new TypeError('markup is not allowed here')
  return text
}

/** Runs before anything is drawn. */
export function applyPolicies(): void {
  const nonce = pageNonce()
  if (nonce !== undefined) setNonce(nonce) // the scroll lock's style tag
  const { trustedTypes } = window as Window & { trustedTypes?: Policies }
  trustedTypes?.createPolicy('default', { createHTML: cssOnly })
}
