// One part of the console's measurements, in Chromium on the server that the program beside this started. The job comes as
// JSON on standard input, so that the password is in nobody's environment; the figures go as JSON to standard output, each a
// list with one entry for each round. Times are taken in the page, from the browser's own clocks: a name ends with the unit.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { startPlain } from './plain.mjs'

const job = JSON.parse(readFileSync(0, 'utf8'))
const { chromium } = createRequire(join(job.console, 'package.json'))('playwright-core')
const browser = await chromium.launch({ executablePath: job.chromium, args: ['--no-sandbox', '--disable-background-networking'] })

/** Runs in every page before its own scripts. */
function probe() {
  const frame = () => new Promise((done) => requestAnimationFrame(() => done(performance.now())))
  const grid = () => document.querySelector('[role="grid"]')
  const row = (index) => grid()?.querySelector(`[role="row"][aria-rowindex="${index}"]:not([aria-busy])`) ?? undefined
  /** The time of the first frame in which ok holds. */
  const when = async (ok) => {
    let now = performance.now()
    while (!ok()) now = await frame()
    return now
  }
  /** How long it takes from the next event of a kind until ok holds. */
  const since = (kind, ok) => {
    const taken = new Promise((done) => addEventListener(kind, (event) => void when(ok).then((now) => done(now - event.timeStamp)), { capture: true, once: true }))
    globalThis.bench.taken = taken
  }
  globalThis.bench = { frame, grid, row, when, since }
  globalThis.bench.rows = when(() => row(2) !== undefined)
}

const shape = { ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', timezoneId: 'UTC', locale: 'en-GB' }

/** Signs in once; every round begins with the cookie and an empty cache. */
async function signIn() {
  const context = await browser.newContext(shape)
  const page = await context.newPage()
  await page.goto(`${job.url}/login`)
  await page.getByLabel('Name', { exact: true }).fill(job.name)
  await page.getByLabel('Password', { exact: true }).fill(job.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'Overview', exact: true }).waitFor()
  const storageState = await context.storageState()
  await context.close()
  return storageState
}
const storageState = await signIn()

// How long a browser takes to start the processes of a new window, and those that it keeps ready for the next one. That is
// no work of the console: with two processors it doubled what was measured.
const startsWithinMs = 1500

/** Opens a page in a window of its own, which has nothing but the cookie: no file, no connection, no code that ran before. */
async function open(path, use) {
  const context = await browser.newContext({ ...shape, storageState })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  await rest(page, startsWithinMs)
  await page.addInitScript(probe)
  await page.goto(job.url + path, { waitUntil: 'commit' })
  try {
    return await use(page, context)
  } finally {
    await context.close()
  }
}

const rest = (page, ms = 300) => page.waitForTimeout(ms)

/** The smallest number that a share of all are not above. */
const percentile = (all, share) => all.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(all.length * share) - 1)]

const taken = (page) => page.evaluate('bench.taken')
const focusGrid = (page) => page.locator('[role="grid"]').focus()

/** Puts text in place of what is in the filter's field, as one paste, and waits for other rows, which all have it. */
async function filter(page, text) {
  await page.locator('[data-filter]').focus()
  await page.keyboard.press('ControlOrMeta+A')
  await page.evaluate((wanted) => {
    const before = bench.grid().getAttribute('aria-rowcount')
    bench.since('input', () => {
      const grid = bench.grid()
      return grid !== null && grid.getAttribute('aria-rowcount') !== before && grid.getAttribute('aria-busy') !== 'true' && bench.row(2)?.textContent.includes(wanted) === true
    })
  }, text)
  if (text === '') await page.keyboard.press('Delete')
  else await page.keyboard.insertText(text)
  return taken(page)
}

/** Presses End or Home and waits for the row there. */
async function jump(page, key) {
  await focusGrid(page)
  await page.evaluate((last) => bench.since('keydown', () => bench.row(last ? bench.grid().getAttribute('aria-rowcount') : 2) !== undefined), key === 'End')
  await page.keyboard.press(key)
  return taken(page)
}

/** Scrolls by px in each of some frames and returns the gaps between them. */
const scroll = (page, frames, px) => page.evaluate(async ({ frames, px }) => {
  const grid = bench.grid()
  const gaps = []
  let last = await bench.frame()
  for (let i = 0; i < frames; i++) {
    grid.scrollTop += px
    const now = await bench.frame()
    gaps.push(now - last)
    last = now
  }
  return gaps
}, { frames, px })

/** From the navigation to what a page is for: the first rows of the explorer, and of a large run. */
async function cold() {
  plain ??= await startPlain(job.chromium, job.folder, shape.viewport)
  const until = (path, ask) => plain.open(job.url + path, { cookies: storageState.cookies, probe, restMs: startsWithinMs, ask })
  const rows = await until('/secrets', 'bench.rows')
  const run = await until(`/runs/${job.run}`, `bench.when(() => document.querySelector('section[aria-labelledby="run-writes"] details') !== null)`)
  process.stderr.write(`first rows ${rows.toFixed(0)} ms, run with ${job.keys} keys ${run.toFixed(0)} ms\n`)
  return { console_first_rows: rows, console_run_1000: run }
}

/** The explorer, on a server that does nothing else. */
async function quiet() {
  return open('/secrets', async (page) => {
    await page.evaluate('bench.rows')
    await rest(page, 2500) // what is loaded once the page has come to rest
    const end = await jump(page, 'End')
    await rest(page)
    await jump(page, 'Home')
    await rest(page)
    const gaps = await scroll(page, 120, 900)
    await jump(page, 'Home')
    const filters = []
    for (const text of job.filters) {
      filters.push(await filter(page, text))
      await rest(page)
    }
    process.stderr.write(`End ${end.toFixed(0)} ms, scroll p95 ${percentile(gaps, 0.95).toFixed(0)} ms, filters ${job.filters.map((text, i) => `${text} ${filters[i].toFixed(0)} ms`).join(', ')}\n`)
    return { console_filter: Math.max(...filters), console_end_key: end, console_scroll_p95: percentile(gaps, 0.95) }
  })
}

/** Everything that a hand does to a list, while its rows change. */
async function live() {
  return open('/secrets', async (page) => {
    await page.evaluate('bench.rows')
    await rest(page, 2500)
    await page.evaluate(() => {
      bench.hand = 0
      bench.longest = new Map()
      bench.tasks = []
      for (const kind of ['keydown', 'pointerdown']) addEventListener(kind, () => bench.hand++, { capture: true })
      new PerformanceObserver((list) => {
        for (const { interactionId, duration } of list.getEntries()) if (interactionId > 0) bench.longest.set(interactionId, Math.max(duration, bench.longest.get(interactionId) ?? 0))
      }).observe({ type: 'event', durationThreshold: 16 })
      new PerformanceObserver((list) => bench.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })
    })
    for (const end = Date.now() + job.handSeconds * 1000; Date.now() < end;) {
      await focusGrid(page)
      for (let i = 0; i < 12; i++) {
        await page.keyboard.press(i < 8 ? 'ArrowDown' : 'ArrowUp')
        await rest(page, 60)
      }
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').waitFor()
      await rest(page)
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })
      await page.locator('[data-filter]').click()
      await page.keyboard.type('app', { delay: 60 })
      await rest(page, 600)
      for (let i = 0; i < 3; i++) await page.keyboard.press('Backspace', { delay: 30 })
      await rest(page, 600)
    }
    await rest(page, 500)
    const { hand, longest, tasks } = await page.evaluate(() => ({ hand: bench.hand, longest: [...bench.longest.values()], tasks: bench.tasks }))
    // What took less than 16 ms is not told; it counts as 8 ms, the clock's grain.
    const all = [...longest, ...Array(Math.max(0, hand - longest.length)).fill(8)]
    const p98 = percentile(all, 0.98)
    process.stderr.write(`${all.length} interactions p98 ${p98} ms, the longest ${Math.max(...all)} ms; ${tasks.length} tasks of 50 ms or more, the longest ${Math.max(0, ...tasks).toFixed(0)} ms\n`)
    return { console_interaction_p98: p98 }
  })
}

/** A minute of scrolling and filtering, then what is left of it after the garbage is collected. */
async function long() {
  return open('/secrets', async (page, context) => {
    await page.evaluate('bench.rows')
    const devtools = await context.newCDPSession(page)
    await devtools.send('Performance.enable')
    for (let end = Date.now() + job.longSeconds * 1000, turn = 0; Date.now() < end; turn++) {
      await scroll(page, 60, 900)
      await jump(page, 'End')
      await scroll(page, 30, -900)
      await filter(page, job.filters[turn % job.filters.length])
      await filter(page, '')
      await jump(page, 'Home')
    }
    await rest(page, 1000)
    await devtools.send('HeapProfiler.collectGarbage')
    const { metrics } = await devtools.send('Performance.getMetrics')
    const of = (name) => metrics.find((metric) => metric.name === name).value
    process.stderr.write(`${of('Nodes')} nodes in memory, ${(of('JSHeapUsedSize') / 1e6).toFixed(1)} MB\n`)
    return { console_dom_nodes: of('Nodes'), console_heap: of('JSHeapUsedSize') / 1e6 }
  })
}

const parts = { cold, quiet, live, long }
const figures = {}
let plain
try {
  if (job.part === 'cold') await browser.close() // it signed in, and is not to take part
  for (let i = 0; i < job.rounds; i++) {
    for (const [name, value] of Object.entries(await parts[job.part]())) (figures[name] ??= []).push(value)
  }
} finally {
  await Promise.all([browser.close(), plain?.close()])
}
process.stdout.write(JSON.stringify(figures))
