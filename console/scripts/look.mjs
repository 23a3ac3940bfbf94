// Opens the built pages in Chromium under the strict policy: screenshots, axe and policy violations.
// Usage: node scripts/look.mjs [folder]; CHROMIUM names the browser.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const out = process.argv[2] ?? join(dist, '../../test-results/console')
mkdirSync(out, { recursive: true })
const kinds = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

const server = createServer((req, res) => {
  const path = new URL(req.url, 'http://x').pathname
  if (path.startsWith('/api/')) {
    res.writeHead(503, { 'Content-Type': 'application/problem+json' })
    return res.end('{"type":"unavailable","title":"No server is behind this look","status":503}')
  }
  const kind = kinds[extname(path)]
  if (kind) return res.writeHead(200, { 'Content-Type': kind }).end(readFileSync(join(dist, path)))
  const nonce = randomBytes(16).toString('base64url')
  res.writeHead(200, {
    'Content-Type': 'text/html',
    'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
  })
  res.end(readFileSync(join(dist, 'index.html'), 'utf8').replaceAll('__CSP_NONCE__', nonce))
})
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const axe = readFileSync(fileURLToPath(new URL('../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8')

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking'],
})
const faults = []
try {
  for (const colorScheme of ['light', 'dark'])
    for (const width of [1280, 390])
      for (const path of ['/login', '/setup#token', '/sealed', '/nowhere']) {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } })
        const name = `${path.slice(1).replace(/#.*/, '')}--plain--${colorScheme}--${width}`
        page.on('console', (m) => /Content Security|Trusted/i.test(m.text()) && faults.push(`${name}: ${m.text()}`))
        page.on('pageerror', (e) => faults.push(`${name}: ${e.message}`))
        await page.goto(base + path)
        await page.waitForSelector('h1')
        await page.waitForTimeout(300)
        await page.screenshot({ path: join(out, `${name}.png`), fullPage: true })
        const found = await page.evaluate(`${axe}; axe.run({ runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa'] })`)
        for (const v of found.violations) faults.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`)
        const wide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
        if (wide) faults.push(`${name}: scrolls sideways`)
        await page.close()
      }
} finally {
  await browser.close()
  server.close()
}
process.stdout.write(faults.length === 0 ? 'nothing found\n' : `${faults.join('\n')}\n`)
if (faults.length > 0) process.exitCode = 1
