// States of pages that the console's story does not come by: what is stopped, refused, sealed or over. The Go test
// beside it made them on the real program, and says by the environment where they are. Values come from files.
import { readFileSync } from 'node:fs'
import { openBrowser } from './look.mjs'

const env = (name) => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
const [base, sealed, run] = [env('STATES_URL'), env('STATES_SEALED_URL'), env('STATES_RUN')]
const anna = { name: 'anna', password: readFileSync(env('STATES_PASSWORD_FILE'), 'utf8') }
const otherCA = readFileSync(env('STATES_OTHER_CA'), 'utf8')
const { browser, page, faults, look, shoot } = await openBrowser({ consoleDir: env('STORY_CONSOLE'), out: env('STORY_OUT') })

const button = (name, on = page) => on.getByRole('button', { name, exact: true })
const field = (name, on = page) => on.getByLabel(name, { exact: true })
const heading = (name, on = page) => on.getByRole('heading', { level: 1, name, exact: true }).waitFor()
/** Fills the form that signs in, wherever it stands. */
const signIn = async (on = page) => {
  await field('Password', on).fill(anna.password)
  await button('Sign in', on).click()
}

const cover = page.getByRole('heading', { name: 'Your session has ended' })

const states = {
  'a run that needs attention says what is known': async () => {
    await page.goto(`${base}/login?next=${encodeURIComponent(`/runs/${run}`)}`)
    await field('Name').fill(anna.name)
    await signIn()
    await page.getByText(/belongs to the field manager some-operator/).first().waitFor()
    await button('Resume run').waitFor()
    await look('run', 'needs-attention')
  },
  'a session that ended covers the page, and who signs in again goes on': async () => {
    await endSessionFromElsewhere()
    await cover.waitFor()
    await look('run', 'session-ended')
    await signIn()
    await cover.waitFor({ state: 'detached' })
    if (page.url() !== `${base}/runs/${run}`) throw new Error(`signing in led to ${page.url()}`)
    // The page is no picture: it acts with the new session. The key is still the operator's, so the run stops again.
    const [answer] = await Promise.all([page.waitForResponse((r) => r.url().endsWith('/resume')), button('Resume run').click()])
    if (!answer.ok()) throw new Error(`resume: ${answer.status()}`)
  },
  'a CA that did not sign the certificate fails the first check': async () => {
    await page.goto(`${base}/clusters/new`)
    await field('Namespaces').first().fill('shop')
    await page.keyboard.press('Enter')
    await page.getByText('patch').first().waitFor()
    await button('Next: apply them').click()
    await page.getByRole('link', { name: 'Next: connect and test' }).click()
    await field('Name').fill('prod-us')
    await field('API server URL').fill(env('STATES_CLUSTER_URL'))
    await field('CA as PEM').fill(otherCA)
    await field('Token').fill('never-sent-to-whom-the-CA-does-not-vouch-for')
    await button('Test').click()
    await button('Use this CA…').waitFor()
    await look('wizard', 'untrusted')
  },
  'a server without its root key says why it is sealed': async () => {
    await page.goto(sealed)
    await heading('Keyturn is sealed')
    await page.getByText(/^Why: /).waitFor()
    await look('sealed', 'no-key')
  },
}

/** The same person, in another browser, ends the session of this one. */
async function endSessionFromElsewhere() {
  const elsewhere = await browser.newContext({ ignoreHTTPSErrors: true, reducedMotion: 'reduce' })
  const there = await elsewhere.newPage()
  await there.goto(`${base}/login?next=/settings`)
  await field('Name', there).fill(anna.name)
  await signIn(there)
  const others = there.getByRole('list', { name: 'Your sessions' }).getByRole('listitem').filter({ hasNotText: 'this one' })
  await others.first().waitFor()
  // That of the command line, which made the states, is ended too: they look alike.
  for (let left = await others.count(); left > 0; left--) {
    await others.first().getByRole('button').click()
    await there.getByRole('dialog').getByRole('button', { name: /^End the session/ }).click()
    await others.nth(left - 1).waitFor({ state: 'detached' })
  }
  await elsewhere.close()
}

try {
  for (const [name, state] of Object.entries(states)) {
    const begun = Date.now()
    await state().catch(async (error) => {
      await shoot('failed').catch(() => {})
      throw new Error(`${name}: at ${page.url()}: ${error.message}`)
    })
    process.stdout.write(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${name}\n`)
  }
} catch (error) {
  faults.unshift(error.message)
} finally {
  await browser.close()
}
// The browser itself complains of answers that refuse, which are what is looked at here.
const real = new Set(faults.filter((fault) => !/Failed to load resource: .* status of (401|503) /.test(fault)))
for (const fault of real) process.stdout.write(`FAULT ${fault}\n`)
process.exitCode = real.size === 0 ? 0 : 1
