// A picture that is to be compared shows nothing that differs from run to run. While it is taken, such texts are others,
// of the usual width: the page itself is not changed, and goes on as it was.

const uuid = '01890a5d-ac96-774b-bcce-b302099a8057'
const pem = ['-----BEGIN CERTIFICATE-----', ...Array(11).fill('MIIBkTCB'.repeat(8)), '-----END CERTIFICATE-----', ''].join('\n')
const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'

/**
 * What differs and what is drawn for it, applied in this order. A text is that of one text node, or of a field. `within`
 * limits an entry to elements that match the selector, as do those inside of them.
 */
export const varying = [
  // Times and durations.
  { text: new RegExp(`\\b\\d{1,2} (${months}) (\\d{4} )?\\d\\d:\\d\\d:\\d\\d\\b`, 'g'), as: '12 Nov 14:02:11' },
  { text: new RegExp(`\\b\\d{1,2} (${months}) (\\d{4} )?\\d\\d:\\d\\d\\b(?!:)`, 'g'), as: '12 Nov 14:02' },
  { text: /\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=12 Nov 14:02)/g, as: 'Thu ' },
  { text: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, as: '2026-11-12T14:02:11Z' },
  { text: /^(now|\d+ (s|min|h|d) ago)$/, as: '4 min ago', within: 'time' },
  { text: /^in \d+ (s|min|h|d)$/, as: 'in 29 min', within: 'time' },
  { text: /^(under 1 s|\d+ s|\d+ min( \d+ s)?)$/, as: 'under 1 s' },
  { text: /\b\d+ ms\b/g, as: '3 ms' },
  // Ids and fingerprints.
  { text: /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, as: uuid },
  { text: /^Run [0-9a-f]{6}$/, as: 'Run 9a8057' },
  { text: /^[0-9a-f]{6}$/, as: '9a8057' },
  { text: /\b[0-9a-f]{64}\b/g, as: '9a41c0ff7e3b5d28'.repeat(4) },
  { text: /\b[0-9a-f]{16}\b/g, as: '9a41c0ff7e3b5d28' },
  { text: /\b([0-9A-F]{2}:){31}[0-9A-F]{2}\b/g, as: Array(8).fill('9A:41:C0:FF').join(':') },
  { text: /-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----\n?/, as: pem },
  // The world that the test has made.
  { text: /127\.0\.0\.1:\d+/g, as: '127.0.0.1:40443' },
  { text: /\bport \d{4,5}\b/g, as: 'port 40443' },
  { text: /\bv1\.\d+\.\d+\b/g, as: 'v1.36.3' },
  // How many events there are depends on what the cluster reported when; so does the number of each, which comes later.
  { text: /^had \d+ entries, has \d+$/, as: 'had 55 entries, has 40' },
  { text: /\b\d+ entries\b/g, as: '42 entries' },
  { text: /^(#[\d,]+|soon)$/, as: '#42' },
  { text: /\b1[45]m\d+s\b/g, as: '15m0s' },
  { text: /\b(8\d\d|900) s\b/g, as: '900 s' },
  { text: /, after \d+ (try|tries)\./, as: ', after 3 tries.' },
  // A value that is shown is in no picture; nor is for how long it still is.
  { text: /^.+$/, as: 'x'.repeat(32), within: 'code[translate="no"]' },
  { text: /^\d+$/, as: '30', within: 'code[translate="no"] + [aria-hidden]' },
  // Dots show how long a password or a token is.
  { text: /^.+$/, as: 'x'.repeat(40), within: 'input[type="password"]' },
]

/**
 * Calls take while the page shows no varying text, and again when the page itself wrote one meanwhile. A toast is not
 * drawn: it goes when its time is up.
 */
export async function still(page, take) {
  for (let tries = 0; tries < 20; tries++) {
    const frozen = await page.evaluateHandle(freeze, varying)
    await take()
    if (await frozen.evaluate(thaw)) return
  }
  throw new Error('the page never kept still')
}

/** In the page: shows the fixed texts, and returns what thaw needs. */
function freeze(entries) {
  const fixed = (text, element) => {
    let out = text
    for (const { text: pattern, as, within } of entries) {
      if (within === undefined || element.closest(within)) out = out.replace(pattern, as)
    }
    return out
  }
  const changed = []
  /** Sets a property that holds a text, if it is to be another. */
  const change = (at, property, element) => {
    const was = at[property]
    const now = fixed(was, element)
    if (now === was) return
    at[property] = now
    changed.push({ at, property, was, now })
  }
  const scrolled = []
  for (const element of document.querySelectorAll('input, textarea')) {
    if (['checkbox', 'radio', 'file'].includes(element.type)) continue
    scrolled.push({ element, top: element.scrollTop, left: element.scrollLeft })
    change(element, 'value', element)
    element.scrollTo(0, 0)
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) change(walker.currentNode, 'nodeValue', walker.currentNode.parentElement)
  const toasts = document.querySelector('[role="status"][aria-live="polite"]')
  if (toasts) toasts.style.visibility = 'hidden'
  return { changed, scrolled, toasts, fixed }
}

/** In the page: shows its own texts again, and says whether nothing was written since freeze. */
function thaw({ changed, scrolled, toasts, fixed }) {
  let same = true
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const { nodeValue, parentElement } = walker.currentNode
    if (fixed(nodeValue, parentElement) !== nodeValue) same = false
  }
  for (const { at, property, was, now } of changed) {
    // What the page wrote since then is newer than what it had.
    if (at[property] === now) at[property] = was
  }
  for (const { element, top, left } of scrolled) element.scrollTo(left, top)
  if (toasts) toasts.style.visibility = ''
  return same
}
