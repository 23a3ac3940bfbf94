// What is looked at on every page that the story visits: accessibility, width, the browser's complaints; and a picture.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
const themes = ['light', 'dark']
const widths = [1280, 390]

/**
 * Waits until test, a function that runs in the page, is true. Playwright's own waitForFunction evaluates text in the page
 * when it looks a second time, which the console's policy forbids to everybody.
 */
export async function until(page, test) {
  for (const end = Date.now() + 60_000; !(await page.evaluate(test)); await page.waitForTimeout(50)) {
    if (Date.now() > end) throw new Error(`never came true: ${test}`)
  }
}

/**
 * Opens Chromium and returns a page with what watches it. `consoleDir` holds the installed playwright-core and axe-core.
 * Without `looks` a look only waits for its page, and what the browser complains of is still told.
 */
export async function openBrowser({ consoleDir, out, looks = true }) {
  const require = createRequire(join(consoleDir, 'package.json'))
  const { chromium } = require('playwright-core')
  const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
  mkdirSync(out, { recursive: true })
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  })
  // The server's certificate is its own; the Go test has compared it with the printed one.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', timezoneId: 'UTC', locale: 'en-GB' })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const faults = []
  let where = 'start'
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`${where}: the browser's console: ${message.text()}`)
  })
  page.on('pageerror', (error) => faults.push(`${where}: ${error.message}`))

  /** Sticky parts are drawn where the page is scrolled to. */
  const drawn = () => page.evaluate(() => new Promise((done) => { scrollTo(0, 0); requestAnimationFrame(() => requestAnimationFrame(done)) }))
  const violations = async (at, rules = {}) => {
    const found = await page.evaluate(`${axe}; axe.run(${JSON.stringify({ runOnly: tags, rules })})`)
    for (const { id, nodes } of found.violations) faults.push(`${at}: ${id}: ${nodes.map(({ html }) => html.slice(0, 240)).join(' | ')}`)
  }

  /** Looks at the page as it is, in both themes and both widths, and in colours that the system forces. */
  const look = async (name, state) => {
    where = `${name}--${state}`
    await page.getByRole('heading', { level: 1 }).first().waitFor()
    // What is being read is marked as busy; the stream of events keeps the network from ever being idle.
    await until(page, () => document.querySelector('main [aria-busy="true"]') === null)
    if (!looks) return
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 })
      for (const colorScheme of themes) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await drawn()
        const at = `${where}--${colorScheme}--${width}`
        await page.screenshot({ path: join(out, `${at}.png`), fullPage: true })
        await violations(at)
        if (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) faults.push(`${at}: the page scrolls sideways`)
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', forcedColors: 'active' })
    await drawn()
    // Contrast is the system's there.
    await violations(`${where}--forced--1280`, { 'color-contrast': { enabled: false } })
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', forcedColors: 'none' })
  }
  return { browser, page, faults, look, shoot: (name) => page.screenshot({ path: join(out, `${name}.png`), fullPage: true }) }
}
