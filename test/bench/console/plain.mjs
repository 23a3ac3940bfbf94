// A browser that nobody debugs. Playwright turns on what a debugger needs in every page: each error that a library makes, and
// React makes some while it is loaded, then has the browser read the whole file again to know the line that it stands on. That
// took 80 ms of a page's first second, which nobody but a measurement waits for. Here a page is told where to go, and asked
// how long it took; no more.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

// Until a browser with a new profile has done what it does once.
const firstRestMs = 5000

/** Starts Chromium with a profile in a folder and speaks its protocol over a pipe. */
export async function startPlain(chromium, folder, { width, height }) {
  const profile = mkdtempSync(join(folder, 'browser-'))
  const flags = ['--headless', '--no-sandbox', '--disable-background-networking', '--no-first-run', '--hide-scrollbars', '--mute-audio', '--disable-dev-shm-usage',
    '--force-prefers-reduced-motion', '--lang=en-GB', `--window-size=${width},${height}`, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank']
  const child = spawn(chromium, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, TZ: 'UTC' } })
  const [, , , to, from] = child.stdio
  const waiting = new Map()
  const fail = (why) => {
    for (const { reject } of waiting.values()) reject(why)
    waiting.clear()
  }
  const ended = new Promise((done) => child.once('close', done))
  child.once('error', fail)
  child.once('close', () => fail(new Error('the browser ended')))
  to.on('error', fail)
  let text = ''
  from.setEncoding('utf8').on('data', (more) => {
    const parts = (text + more).split('\0')
    text = parts.pop()
    for (const part of parts) {
      const { id, result, error } = JSON.parse(part)
      const call = waiting.get(id) // what has no id is an event
      waiting.delete(id)
      if (error) call?.reject(new Error(`${call.method}: ${error.message}`))
      else call?.resolve(result)
    }
  })
  let last = 0
  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject, method })
    to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`)
  })

  await send('Browser.getVersion')
  await new Promise((done) => setTimeout(done, firstRestMs))
  return {
    /** Opens an address in a new window that has nothing but the cookies, and answers with what `ask` is when it settles. */
    async open(url, { cookies, probe, restMs, ask }) {
      const { browserContextId } = await send('Target.createBrowserContext')
      try {
        const { targetId } = await send('Target.createTarget', { url: 'about:blank', browserContextId })
        const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
        await send('Storage.setCookies', { cookies, browserContextId })
        await send('Security.setIgnoreCertificateErrors', { ignore: true }, sessionId)
        await new Promise((done) => setTimeout(done, restMs))
        await send('Page.enable', {}, sessionId)
        await send('Page.addScriptToEvaluateOnNewDocument', { source: `(${probe})()` }, sessionId)
        const { errorText } = await send('Page.navigate', { url }, sessionId)
        if (errorText) throw new Error(`${url}: ${errorText}`)
        const { result, exceptionDetails } = await send('Runtime.evaluate', { expression: ask, awaitPromise: true, returnByValue: true }, sessionId)
        if (exceptionDetails) throw new Error(`${url}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
        return result.value
      } finally {
        await send('Target.disposeBrowserContext', { browserContextId }).catch(() => {})
      }
    },
    async close() {
      await send('Browser.close').catch(() => {})
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
