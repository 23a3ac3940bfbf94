// What is looked at on every page that the story visits: accessibility, width, the browser's complaints; and a picture.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { still } from './still.mjs'

// What of it depends on colours: the rest is the same in both themes of one width.
const ofColours = { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } }
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
// In which a page is looked at: how wide the window is, and its theme.
const everyView = [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']]
/** For the many states of one page: its narrow dark theme was seen in the story. */
export const fewerViews = [[1280, 'light'], [1280, 'dark'], [390, 'light']]
export const wide = fewerViews.filter(([width]) => width > 1000)
/** 1280 px at a zoom of 400 %. */
export const zoomed = [[320, 'light']]

/**
 * Waits until test, a function that runs in the page, is true. Playwright's own waitForFunction evaluates text in the page
 * when it looks a second time, which the console's policy forbids to everybody.
 */
export async function until(page, test) {
  for (const end = Date.now() + 60_000; !(await page.evaluate(test)); await page.waitForTimeout(50)) {
    if (Date.now() > end) throw new Error(`never came true: ${test}`)
  }
}

/** Whether a dialog of the browser's own makes all beneath it unreachable. */
const covered = (page) => page.evaluate(() => document.querySelector('dialog[open]') !== null)

// After an event the console reads what it shows within 0.25 s, lists and their counts within 2 s more.
const toldMs = 2500
// What the stream of events says without an event is a short comment.
const commentBytes = 40

/** Returns what waits until nothing is on its way to the page and it has drawn what came. Beneath a cover nothing is read. */
async function resting(page) {
  const isStream = (url) => new URL(url).pathname === '/api/v1/events'
  // What was asked and is not answered yet, but the stream, which never ends.
  const open = new Set()
  page.on('request', (request) => isStream(request.url()) || open.add(request))
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => open.delete(request))
  const streams = new Set()
  let told = 0
  const network = await page.context().newCDPSession(page)
  network.on('Network.requestWillBeSent', ({ requestId, request }) => isStream(request.url) && streams.add(requestId))
  network.on('Network.dataReceived', ({ requestId, dataLength }) => {
    if (streams.has(requestId) && dataLength > commentBytes) told = Date.now()
  })
  await network.send('Network.enable')
  const busy = () => page.evaluate(() => document.querySelector('main [aria-busy="true"]') !== null || document.querySelector('header')?.textContent.includes('reconnecting') === true)
  return async () => {
    const end = Date.now() + 60_000
    for (let quiet = 0; quiet < 3; ) {
      if (Date.now() > end) throw new Error(`never came to rest; not answered: ${[...open].map((request) => request.url()).join(' ')}`)
      await page.waitForTimeout(100)
      const waits = open.size > 0 || Date.now() - told < toldMs || ((await busy()) && !(await covered(page)))
      quiet = waits ? 0 : quiet + 1
    }
  }
}

/**
 * Opens Chromium and returns a page with what watches it. `consoleDir` holds the installed playwright-core and axe-core.
 * Without `looks` a look only waits for its page, and what the browser complains of is still told. `views` are those of a
 * look that names none.
 */
export async function openBrowser({ consoleDir, out, looks = true, views: usual = everyView }) {
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

  const rested = await resting(page)
  /** Sticky parts are drawn where the page is scrolled to. */
  const drawn = () => page.evaluate(() => new Promise((done) => { scrollTo(0, 0); requestAnimationFrame(() => requestAnimationFrame(done)) }))
  /** A page is longer than the window; what covers it is not. */
  const picture = async (name) => {
    const fullPage = !(await covered(page))
    await still(page, () => page.screenshot({ path: join(out, `${name}.png`), fullPage, animations: 'disabled' }))
  }
  const violations = async (at, rules = { runOnly: tags }) => {
    const found = await page.evaluate(`${axe}; axe.run(${JSON.stringify(rules)})`)
    for (const { id, nodes } of found.violations) faults.push(`${at}: ${id}: ${nodes.map(({ html }) => html.slice(0, 240)).join(' | ')}`)
  }

  /** Looks at the page as it is, in some views, and in colours that the system forces. */
  const look = async (name, state, views = usual) => {
    where = `${name}--${state}`
    await page.getByRole('heading', { level: 1 }).first().waitFor()
    await rested()
    if (!looks) return
    await page.mouse.move(0, 0) // whatever was pressed last is not what is looked at
    for (const [width, colorScheme] of views) {
      await page.setViewportSize({ width, height: 800 })
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor({ state: 'attached' })
      await drawn()
      const at = `${where}--${colorScheme}--${width}`
      await picture(at)
      await violations(at, colorScheme === 'dark' ? ofColours : undefined)
      if (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) faults.push(`${at}: the page scrolls sideways`)
    }
    await page.setViewportSize({ width: 1280, height: 800 })
    // What the system's own colours do to a page, the story has seen.
    if (views !== everyView) return page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', forcedColors: 'active' })
    await drawn()
    // Contrast is the system's there.
    await violations(`${where}--forced--1280`, { runOnly: tags, rules: { 'color-contrast': { enabled: false } } })
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', forcedColors: 'none' })
  }
  /** Draws what shows whether this machine draws as another does. */
  const calibrate = async () => {
    const own = await context.newPage()
    await own.goto(new URL('calibration.html', import.meta.url).href)
    await own.screenshot({ path: join(out, 'calibration.png'), fullPage: true })
    await own.close()
  }
  return { browser, page, faults, look, calibrate, shoot: (name) => page.screenshot({ path: join(out, `${name}.png`), fullPage: true }) }
}
