// Builds the gallery of parts beside the console and looks at it in Chromium under the strict policy.
// Usage: node scripts/gallery.mjs [folder [view…]]; CHROMIUM names the browser. Nothing of it is shipped.
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { build } from 'vite'

const root = fileURLToPath(new URL('../', import.meta.url))
const out = process.argv[2] ?? join(root, '../test-results/gallery')
mkdirSync(out, { recursive: true })
const built = mkdtempSync(join(tmpdir(), 'keyturn-gallery-'))
await build({
  root,
  logLevel: 'warn',
  build: { outDir: built, emptyOutDir: true, manifest: false, rollupOptions: { input: join(root, 'src/gallery/index.html') } },
})
const kinds = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const html = readFileSync(join(built, 'src/gallery/index.html'), 'utf8')
const server = createServer((req, res) => {
  const path = new URL(req.url, 'http://x').pathname
  const kind = kinds[extname(path)]
  if (kind) return res.writeHead(200, { 'Content-Type': kind }).end(readFileSync(join(built, path)))
  const nonce = randomBytes(16).toString('base64url')
  res.writeHead(200, {
    'Content-Type': 'text/html',
    'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self'; connect-src 'self'; base-uri 'none'; require-trusted-types-for 'script'`,
  })
  res.end(html.replaceAll('__CSP_NONCE__', nonce))
})
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8')

/** What is looked at: an address, and what a person does there first. */
const views = [
  ['parts', '/g', async () => {}],
  ['list', '/g?view=list', async () => {}],
  ['list-end', '/g?view=list', async (page) => {
    await page.focus('[role=grid]')
    await page.keyboard.press('End')
  }],
  ['filter', '/g?view=list', async (page) => {
    await page.fill('[data-filter]', 'state:')
    await page.focus('[data-filter]')
  }],
  ['refused', '/g?view=list', async (page) => page.fill('[data-filter]', 'hunter2!')],
  ['drawer', '/g?view=list', async (page) => page.click('[role=row][aria-rowindex="3"] [role=gridcell]:nth-child(2)')],
  ['menu', '/g', async (page) => page.click('button[aria-label^="Anna"]')],
  ['sheet', '/g', async (page) => (page.viewportSize().width < 768 ? page.click('button[aria-label="Open the menu"]') : undefined)],
  ['confirm-2', '/g', async (page) => page.click('text="Confirm 2"')],
  ['confirm-3', '/g', async (page) => page.click('text="Confirm 3"')],
  ['idle', '/g', async (page) => page.click('text="Idle"')],
  ['cover', '/g', async (page) => page.click('text="Session cover"')],
]

const wanted = process.argv.slice(3)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking'],
})
const faults = []
try {
  for (const colorScheme of ['light', 'dark'])
    for (const width of [1280, 390])
      for (const [view, path, act] of views.filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' })
        const name = `${view}--${colorScheme}--${width}`
        page.on('console', (m) => m.type() === 'error' && faults.push(`${name}: ${m.text()}`))
        page.on('pageerror', (e) => faults.push(`${name}: ${e.message}`))
        await page.goto(base + path)
        await page.waitForSelector('h1')
        await act(page)
        await page.waitForTimeout(350)
        await page.screenshot({ path: join(out, `${name}.png`), fullPage: view === 'parts' })
        const found = await page.evaluate(`${axe}; axe.run({ runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa'] })`)
        for (const v of found.violations) faults.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`)
        if (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) faults.push(`${name}: scrolls sideways`)
        await page.close()
      }
} finally {
  await browser.close()
  server.close()
  rmSync(built, { recursive: true })
}
process.stdout.write(faults.length === 0 ? 'nothing found\n' : `${faults.join('\n')}\n`)
if (faults.length > 0) process.exitCode = 1
