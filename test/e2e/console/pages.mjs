// The pages in every state that the story does not come by, as a table. The Go test beside it has made a world that has
// them all, on the real program; what is wrong there is really wrong. Only the line to the server is cut here.
import { readFileSync } from 'node:fs'
import { actions } from './acts.mjs'
import { openLine } from './line.mjs'
import { fewerViews, openBrowser, wide, zoomed } from './look.mjs'

const env = (name) => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
const world = JSON.parse(readFileSync(env('PAGES_FACTS'), 'utf8'))
const { browser, page, faults, look, calibrate, shoot } = await openBrowser({ consoleDir: env('STORY_CONSOLE'), out: env('STORY_OUT'), views: fewerViews })
page.setDefaultTimeout(20_000)
const context = page.context()
const line = await openLine(world.URL)
await context.grantPermissions(['clipboard-read', 'clipboard-write'])

const button = (name) => page.getByRole('button', { name, exact: true })
const field = (name) => page.getByLabel(name, { exact: true })
const inDialog = page.getByRole('dialog')
const account = (name, more = '', resource = 'orders-db') => `/resources/${resource}/accounts/${name}${more}`
const secret = (name, more = '') => `/secrets/prod-eu/${name}${more}`
const run = (name) => `/runs/${world.IDs[name]}`
const hostile = encodeURIComponent(world.Hostile)

// What is done, or waited for, before a page is looked at. What an action returns is done afterwards.
const sees = (text) => () => page.getByText(text).first().waitFor()
const opens = (name) => async () => {
  await page.getByText(name).first().click()
}

async function signIn(name, password) {
  await field('Name').fill(name)
  await field('Password').fill(password)
  await button('Sign in').click()
}

async function wrongPair() {
  await signIn('somebody', 'not-the-password')
  await page.getByRole('alert').waitFor()
}

/** Nobody has this name, so nobody is shut out. */
async function throttled() {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const [answer] = await Promise.all([page.waitForResponse((r) => r.url().endsWith('/api/v1/session')), signIn('somebody', 'not-the-password')])
    if (answer.status() === 429) return page.getByRole('alert').waitFor()
  }
  throw new Error('nobody is ever throttled')
}

async function usedCode() {
  await field('Name').fill('eve')
  await field('Password').fill('gravel teapot Orion nineteen')
  await field('Password again').fill('gravel teapot Orion nineteen')
  await button('Make the administrator').click()
  await page.getByRole('alert').waitFor()
}

/** Signs in at the server on a database that was put back, and looks what is known there. */
async function restored() {
  await signIn('anna', world.Passwords['anna'])
  await page.getByText(/it is not known which value is right/).waitFor()
}

async function endsRestore() {
  await button('End the restore…').click()
  await inDialog.getByText(/to confirm/).waitFor()
}

async function wrongPassphrase() {
  await field('Passphrase').fill('not-the-passphrase-of-this')
  await button('Unseal').click()
  await page.getByRole('alert').waitFor()
}

/** Cuts the line until what is returned is called. */
async function unplugged() {
  line.cut()
  try {
    await page.locator('header').getByText(/stale/i).waitFor()
  } catch (error) {
    await line.mend()
    throw error
  }
  return line.mend
}

/** Brings the wizard to its third step. */
async function wizard() {
  await page.getByRole('radio', { name: /^The whole cluster/ }).check()
  await button('Next: apply them').click()
  await page.getByRole('link', { name: 'Next: connect and test' }).click()
  await field('Name').fill('prod-new')
}

/** Tests a connection that fails, or passes, with a text. */
const tests = ({ URL, CA, Token }, text) => async () => {
  await field('API server URL').fill(URL)
  await field('CA as PEM').fill(CA ?? '')
  await field('Token').fill(Token || 'of-nobody')
  await button('Test').click()
  await page.getByRole('region', { name: 'Test' }).getByText(text).first().waitFor()
}

async function withoutToken() {
  await tests(world.Clusters['prod-eu'], /./)()
  await field('Token').fill('')
}

async function byRule() {
  await page.getByLabel('Namespaces', { exact: true }).fill('team-01?')
  await field('Names').fill('db-*')
  await sees('match now')()
}

async function filterOpen() {
  await field('Filter Secrets').fill('state:')
  await page.getByRole('option').first().waitFor()
}

const reveals = (name) => async () => {
  await page.getByRole('button', { name: new RegExp(`^Reveal ?${name}`) }).first().click()
  await page.getByRole('button', { name: new RegExp(`^Hide ?${name}`) }).first().waitFor()
  return () => page.keyboard.press('Escape')
}

async function copies() {
  await page.getByRole('button', { name: /^Copy ?pages_app v/ }).first().click()
  await sees(/The clipboard is cleared/)()
}

const mayCopy = async (setting) => {
  const session = await context.newCDPSession(page)
  const { targetInfo } = await session.send('Target.getTargetInfo')
  await session.send('Browser.setPermission', { browserContextId: targetInfo.browserContextId, origin: line.url, permission: { name: 'clipboard-write' }, setting })
}

/** Whether what a browser refused to write stands on the clipboard is not known, so the bar asks. */
async function leftBehind() {
  await mayCopy('denied')
  await page.getByRole('button', { name: /^Copy ?pages_app v/ }).first().click()
  await sees(/may still be on your clipboard/)()
  return () => mayCopy('granted')
}

async function typesValue() {
  await page.getByRole('radio', { name: 'Type a value' }).check()
  await field('Value').fill('x')
}

async function badPolicy() {
  await field('Length').fill('2')
  await page.getByRole('button', { name: 'Reset pages_app', exact: true }).click()
  await page.getByRole('alert').first().waitFor()
}

/** Nothing listens where the account is. After some tries the run would need somebody, so it is started when it is looked at. */
async function waits() {
  await page.getByRole('button', { name: 'Reset pages_down', exact: true }).click()
  await page.getByRole('list', { name: 'Steps of the run' }).waitFor()
  await page.getByRole('main').getByText('waiting').first().waitFor()
}

async function palette() {
  await page.keyboard.press('ControlOrMeta+K')
  await page.getByRole('combobox', { name: 'Search or jump to' }).fill('nothing-like-it')
  await sees(/Nothing that you may open/)()
}

async function keys() {
  await page.locator('h1').click()
  await page.keyboard.press('Shift+?')
  await inDialog.getByText('Ctrl K').waitFor()
}

/** What a run does after a write is changed in a dialog that the mapping's drawer leads to. */
async function editsMapping() {
  await inDialog.getByRole('button', { name: 'Edit…', exact: true }).click()
  await inDialog.getByRole('radiogroup', { name: 'After a reset' }).waitFor()
}

async function strategy() {
  await button('More for pages_app').click()
  await page.getByRole('menuitem', { name: 'Strategy…' }).click()
  await inDialog.getByRole('radiogroup').waitFor()
}

async function asksOnceMore() {
  await button('Restart it and go on').click()
  await inDialog.getByText(/its 2 pods are replaced/).waitFor()
}

async function badCron() {
  await page.getByRole('radio', { name: 'By a cron line' }).check()
  await field('Cron line').fill('whenever')
  await page.getByRole('alert').getByText(/cron line/).first().waitFor()
}

async function opensSchedule() {
  await page.getByRole('grid', { name: 'Schedule' }).getByText('overdue').first().click()
  await inDialog.getByText('Why then').waitFor()
}

const { overtaken, throughCluster, serviceAccounts, choosesConflicts, replaces } = actions({ page, url: line.url })

const nobody = ''

/** Every state: page, state, who looks, where, and what is done there. Without an address it goes on where the last was. */
const table = [
  ['login', 'wrong-pair', nobody, '/login', wrongPair],
  ['login', 'throttled', nobody, '/login', throttled],
  ['setup', 'used-code', nobody, `/setup#${world.UsedCode}`, usedCode],
  ['sealed', 'wrong-passphrase', nobody, `${world.Sealed}/`, wrongPassphrase],

  ['restore', 'accounts', nobody, `${world.Restored}/login?next=/restore`, restored],
  ['restore', 'end', nobody, undefined, endsRestore],

  // Among the first, before its account is rehearsed: ten minutes after it was made at the earliest.
  ['resource', 'hostile', 'anna', `/resources/${hostile}`, sees('alert(1)')],
  ['overview', 'auditor', 'aldo', '/', sees('Needs you')],
  ['overview', 'one-grant', 'uma', '/'],
  ['account', 'one-grant', 'uma', account('pages_app'), sees('v2')],
  ['settings-users', 'forbidden', 'uma', '/settings/users', sees('You have no grant')],
  ['overview', 'no-grants', 'nils', '/', sees('You have no grant')],
  ['secrets', 'no-grants', 'nils', '/secrets', sees('You have no grant')],
  ['audit', 'forbidden', 'nils', '/audit', sees('You have no grant')],
  ['account', 'forbidden', 'nils', account('pages_app'), sees(/no account|not found|may not/i)],

  ['overview', 'needs', 'anna', '/', sees('Needs you')],
  ['overview', 'stale', 'anna', undefined, unplugged, wide],
  ['clusters', 'each-state', 'anna', '/clusters', sees('unreachable')],
  ['cluster', 'degraded', 'anna', '/clusters/prod-eu?tab=connection', sees('degraded')],
  ['cluster', 'partly-failed', 'anna', '/clusters/prod-eu', opens(/^\d+ problems?$/)],
  ['cluster', 'unreachable', 'anna', '/clusters/prod-us', sees('unreachable')],

  ['wizard', 'replace', 'anna', '/clusters/new', replaces],
  ['wizard', 'no-such-host', 'anna', '/clusters/new', async () => {
    await wizard()
    await tests({ URL: 'https://no-such-host.invalid:6443' }, 'What to do now:')()
  }],
  ['wizard', 'plain-http', 'anna', undefined, tests(world.PlainHTTP, /HTTP/)],
  ['wizard', 'not-kubernetes', 'anna', undefined, tests(world.NoAPI, /What to do now:/)],
  ['wizard', 'no-token', 'anna', undefined, withoutToken],
  ['wizard', 'other-token', 'anna', undefined, tests({ ...world.Clusters['prod-eu'], Token: world.Clusters['stage'].Token }, /What to do now:/)],
  ['wizard', 'rights-missing', 'anna', undefined, tests(world.Clusters['prod-eu'], /Rights that are missing/)],
  ['wizard', 'connected-already', 'anna', undefined, tests(world.Clusters['stage'], /cannot be connected twice/)],

  ['fetch', 'nothing-chosen', 'anna', '/clusters/stage/fetch', sees('Nothing is chosen.')],
  ['fetch', 'rule', 'anna', '/clusters/stage/fetch?by=rule', byRule],
  ['fetch', 'no-right', 'anna', '/clusters/prod-eu/fetch', sees('vault')],

  ['secrets', 'states', 'anna', '/secrets', sees('checkout/db')],
  ['secrets', 'no-match', 'anna', '/secrets?q=nothing-like-it', sees('Nothing matches')],
  ['secrets', 'filter-open', 'anna', '/secrets', filterOpen],
  ['secrets', 'drawer', 'anna', `/secrets?open=${world.IDs['checkout/db']}`, () => inDialog.getByText('password').first().waitFor()],
  ['secret', 'mapped', 'anna', secret('checkout/db'), sees('in sync')],
  ['secret', 'versions', 'anna', secret('checkout/db', '?tab=versions'), sees('v1')],
  ['secret', 'facts', 'anna', secret('checkout/db', '?tab=facts'), sees('Resource version')],
  ['secret', 'hands-off', 'anna', secret('checkout/held-worker'), sees('hands off')],
  ['secret', 'blocked', 'anna', secret('checkout/frozen'), sees('blocked')],
  ['secret', 'tombstone', 'anna', secret('checkout/gone'), sees('tombstone')],

  ['conflicts', 'list', 'anna', '/conflicts', sees('ledger/mail')],
  ['conflicts', 'one', 'anna', `/conflicts?open=${world.IDs['conflict mail']}`, () => inDialog.getByText('no such key').waitFor()],
  ['conflicts', 'mapped', 'anna', `/conflicts?open=${world.IDs['conflict turned']}`, () => inDialog.getByText(/is mapped to the account/).first().waitFor()],
  ['conflicts', 'stopped', 'anna', `/conflicts?open=${world.IDs['conflict relay']}`, () => inDialog.getByText('stopped').waitFor()],
  ['conflicts', 'many', 'anna', '/conflicts', choosesConflicts],
  ['conflicts', 'no-match', 'anna', '/conflicts?q=nothing-like-it', sees('Nothing matches')],
  ['conflicts', 'empty', 'nils', '/conflicts', sees('No conflicts')],
  ['secret', 'conflict', 'anna', secret('ledger/mail'), sees('which side is right?')],
  ['secret', 'drift-policy', 'anna', secret('ledger/relay', '?tab=facts'), sees('the vault wins')],
  ['resource', 'drift-policy', 'anna', '/resources/ledger-prod-eu?tab=connection', sees('Drift policy')],
  ['resource-new', 'through', 'anna', '/resources?dialog=new', throughCluster],
  ['resource-new', 'tokens', 'anna', '/resources?dialog=new', serviceAccounts],

  ['account', 'mappings', 'anna', account('pages_held', '?tab=mappings'), sees('hands off')],
  ['account', 'mapping-edit', 'anna', account('pages_asked', `?tab=mappings&open=${world.IDs['asked mapping']}`), editsMapping],
  ['account', 'strategy', 'anna', account('pages_app'), strategy],
  ['account', 'access', 'anna', account('pages_app', '?tab=access'), sees('uma')],
  ['account', 'activity', 'anna', account('pages_app', '?tab=activity'), sees('account.create')],
  ['account', 'unverified', 'anna', account('pages_down', '', 'legacy-db'), sees('unverified')],
  ['account', 'out-of-sync', 'anna', account('pages_stale'), sees('out of sync')],
  ['account', 'revealed', 'anna', account('pages_app'), reveals('pages_app v2')],
  ['account', 'copied', 'anna', account('pages_app'), copies],
  ['account', 'clipboard-bar', 'anna', account('pages_app'), leftBehind],
  ['associate', 'differs', 'anna', account('pages_app', '/associate?cluster=prod-eu&secret=ledger/db&key=password'), sees('Which is right?')],
  ['associate', 'owned', 'anna', account('pages_app', '/associate?cluster=prod-eu&secret=checkout/held-worker&key=user'), sees('Owned by')],
  ['reset', 'type', 'anna', account('pages_app', '/reset'), typesValue],
  ['reset', 'refused-policy', 'anna', account('pages_app', '/reset'), badPolicy],

  ['run', 'rolled-back', 'anna', run('rolledBack'), sees('rolled back')],
  ['run', 'held', 'anna', run('held'), sees('needs attention')],
  ['run', 'asks', 'anna', run('asks'), sees(/its mapping asks/i)],
  ['run', 'asks-once-more', 'anna', undefined, asksOnceMore],
  ['run', 'blocked', 'anna', run('frozen'), sees('needs attention')],

  ['run', 'between-waves', 'anna', run('waved'), sees('Begin the next wave')],

  ['policies', 'list', 'anna', '/policies', sees('in-waves')],
  ['policies', 'forbidden', 'uma', '/policies', sees('You have no grant')],
  ['policy', 'prod', 'anna', '/policies/prod', sees(/Accounts are spread/)],
  ['policy', 'default', 'anna', '/policies/default', sees('pages_held')],
  ['policy', 'auditor', 'aldo', '/policies/prod', sees(/Accounts are spread/)],
  ['policy', 'unknown', 'anna', '/policies/nothing', sees(/There is no|not found|no such/i)],
  ['policy', 'assign', 'anna', '/policies/prod?dialog=assign', () => inDialog.getByText('Rule', { exact: true }).waitFor()],
  ['policy', 'delete', 'anna', '/policies/prod?dialog=delete', () => inDialog.getByText(/to confirm/).waitFor()],
  ['policy-edit', 'prod', 'anna', '/policies/prod/edit', sees(/Accounts are spread/)],
  ['policy-new', 'plain', 'anna', '/policies/new', sees(/A value that is made now/)],
  ['policy-new', 'refused', 'anna', undefined, badCron],
  ['schedule', 'list', 'anna', '/schedule', sees('overdue')],
  ['schedule', 'one', 'anna', undefined, opensSchedule],
  ['schedule', 'no-match', 'anna', '/schedule?policy=prod&range=overdue', sees('Nothing matches')],
  ['schedule', 'no-grants', 'nils', '/schedule', sees('You have no grant')],
  ['account', 'policy', 'anna', account('pages_app', '?tab=policy'), sees('Policies that are for it')],
  ['account', 'policy-one-grant', 'uma', account('pages_app', '?tab=policy'), sees('Policies that are for it')],

  ['audit', 'range', 'anna', '/audit?action=grant.create&from=-24h', sees('grant.create')],
  ['audit', 'no-match', 'anna', '/audit?action=user.delete', sees('Nothing matches')],
  ['settings-users', 'hostile', 'anna', '/settings/users', sees('alert(1)')],
  ['settings-users', 'hostile-drawer', 'anna', `/settings/users?open=${world.IDs.hostile}`, () => inDialog.getByText('alert(1)').waitFor()],
  ['resources', 'hostile', 'anna', '/resources', sees('alert(1)')],
  ['settings-groups', 'overtaken', 'anna', '/settings/groups', overtaken],
  ['palette', 'no-hit', 'anna', '/settings/appearance', palette],
  ['keys', 'list', 'anna', '/settings/appearance', keys],
  ['account', 'unknown', 'anna', account('nobody'), sees(/There is no|not found/i)],

  ['run', 'waiting', 'anna', account('pages_down', '/reset', 'legacy-db'), waits],


  ['conflicts', 'zoomed', 'anna', '/conflicts', sees('ledger/mail'), zoomed],
  ['account', 'zoomed', 'anna', account('pages_app'), sees('v2'), zoomed],
  ['run', 'consumers-zoomed', 'anna', run('asks'), sees(/its mapping asks/i), zoomed],
  ['run', 'zoomed', 'anna', run('held'), sees('needs attention'), zoomed],
  ['policy', 'zoomed', 'anna', '/policies/prod', sees(/Accounts are spread/), zoomed],
  ['policy-edit', 'zoomed', 'anna', '/policies/prod/edit', sees(/Accounts are spread/), zoomed],
  ['schedule', 'zoomed', 'anna', '/schedule', sees('overdue'), zoomed],
  ['run', 'between-waves-zoomed', 'anna', run('waved'), sees('Begin the next wave'), zoomed],
  ['secrets', 'zoomed', 'anna', '/secrets', sees('checkout/db'), zoomed],
]

let who = nobody
/** Signs in as somebody, or out. */
async function become(name) {
  if (name === who) return
  await context.clearCookies()
  who = name
  if (name === nobody) return
  await page.goto(`${line.url}/login?next=/settings/appearance`)
  await signIn(name, world.Passwords[name])
  await page.getByRole('heading', { level: 1, name: 'Appearance' }).waitFor()
}

/** Opens an address as if it were typed, so that nothing of the page before is left. */
async function open(address) {
  await page.goto('about:blank')
  await page.goto(new URL(address, line.url).href)
  await page.getByRole('heading', { level: 1 }).first().waitFor()
}

/** Visits one state of the table. */
async function visit([name, state, as, address, action, views]) {
  await become(as)
  if (address !== undefined) await open(address)
  const undo = await action?.()
  try {
    await look(name, state, views)
  } finally {
    if (typeof undo === 'function') await undo()
  }
}

// One may visit a part of the table while working on it: PAGES_ONLY is a regular expression of "page state".
const only = new RegExp(process.env['PAGES_ONLY'] ?? '')
try {
  await calibrate()
  for (const row of table.filter(([name, state]) => only.test(`${name} ${state}`))) {
    const begun = Date.now()
    await visit(row).catch(async (error) => {
      await shoot(`failed--${row[0]}--${row[1]}`).catch(() => {})
      faults.push(`${row[0]} ${row[1]}: at ${page.url().replace(line.url, '')}: ${error.message}`)
    })
    process.stdout.write(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${row[0]} ${row[1]}\n`)
  }
} finally {
  await browser.close()
  line.cut()
}
// The browser itself complains of answers that refuse and of a cut line, which are what is looked at here.
const real = new Set(faults.filter((fault) => !/Failed to load resource: (.* status of (401|403|404|409|412|422|429|503) |net::ERR_\w+)/.test(fault)))
for (const fault of real) process.stdout.write(`FAULT ${fault}\n`)
process.exitCode = real.size === 0 ? 0 : 1
