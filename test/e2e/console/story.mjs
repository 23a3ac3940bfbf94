// The console's story in a real browser, on the real program, a real cluster and a real database. The Go test beside it
// starts all of them, says by the environment where they are, and proves the outcome with kubectl and psql. Values come
// from files, because the environment of a process can be read.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser } from './look.mjs'

const env = (name) => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
const [base, folder, setup] = [env('STORY_URL'), env('STORY_FOLDER'), env('STORY_SETUP_FILE')]
const read = (file) => readFileSync(file, 'utf8').trim()
const admin = { name: 'anna', password: read(env('STORY_ADMIN_FILE')) }
const cluster = { name: 'prod-eu', url: env('STORY_CLUSTER_URL'), ca: read(env('STORY_CLUSTER_CA')), namespaces: env('STORY_NAMESPACES').split(',') }
const database = { host: env('STORY_DB_HOST'), port: env('STORY_DB_PORT'), ca: read(env('STORY_DB_CA')), role: env('STORY_ROLE'), password: read(env('STORY_ROLE_FILE')) }
const first = { secret: env('STORY_SECRET'), key: env('STORY_KEY') }
const kubectl = (...args) => execFileSync(env('KUBECTL'), args, { encoding: 'utf8', env: { KUBECONFIG: env('KUBECONFIG'), HOME: folder, PATH: '/usr/bin:/bin' } })

const { browser, page, faults, look, shoot } = await openBrowser({ consoleDir: env('STORY_CONSOLE'), out: env('STORY_OUT') })

const button = (name) => page.getByRole('button', { name, exact: true })
const link = (name) => page.getByRole('link', { name, exact: true })
const field = (name) => page.getByLabel(name, { exact: true })
const heading = (name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
const inRail = (name) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true })
const go = async (path) => {
  await page.goto(base + path)
  await page.getByRole('heading', { level: 1 }).first().waitFor()
}
/** Chooses an option of a field that offers some. */
const choose = async (name, option) => {
  await page.getByRole('combobox', { name, exact: true }).or(page.getByRole('textbox', { name, exact: true })).first().click()
  await page.getByRole('option', { name: option }).first().click()
}

const steps = {
  'the one-time link makes the administrator': async () => {
    await page.goto(`${base}/setup#${read(setup)}`)
    await heading('Set up Keyturn')
    if ((await page.evaluate('location.hash')) !== '') throw new Error('the token stands in the address bar')
    await look('setup', 'plain')
    await field('Name').fill(admin.name)
    await field('Password').fill(admin.password)
    await field('Password again').fill(admin.password)
    await button('Make the administrator').click()
    await heading('Overview')
    await look('overview', 'first-visit')
  },
  'signing out and in': async () => {
    await button(`${admin.name}: your settings`).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await heading('Sign in')
    await look('login', 'plain')
    await field('Name').fill(admin.name)
    await field('Password').fill(admin.password)
    await button('Sign in').click()
    await heading('Overview')
  },
  'empty lists explain themselves': async () => {
    for (const name of ['clusters', 'secrets', 'resources', 'runs']) {
      await go(`/${name}`)
      await look(name, 'empty')
    }
  },
  'the wizard connects the cluster': async () => {
    await go('/clusters/new')
    const namespaces = page.getByLabel('Namespaces', { exact: true }).first()
    for (const name of cluster.namespaces) {
      await namespaces.fill(name)
      await namespaces.press('Enter')
    }
    await page.getByText('patch').first().waitFor()
    await look('wizard', 'rights')
    await button('Next: apply them').click()
    const [download] = await Promise.all([page.waitForEvent('download'), link('Download keyturn-config.yaml').click()])
    await look('wizard', 'apply')
    const manifest = join(folder, 'keyturn-config.yaml')
    await download.saveAs(manifest)
    kubectl('apply', '-f', manifest)
    await link('Next: connect and test').click()
    await field('Name').fill(cluster.name)
    await field('API server URL').fill(cluster.url)
    await field('CA as PEM').fill(cluster.ca)
    await field('Token').fill(await connectorToken())
    await look('wizard', 'connect')
    await button('Test').click()
    await page.getByRole('button', { name: 'Save', exact: true, disabled: false }).waitFor()
    await look('wizard', 'passed')
    await button('Save').click()
    await heading('Choose Secrets')
  },
  'all Secrets of both namespaces are fetched': async () => {
    const tree = page.getByRole('tree', { name: 'Secrets by namespace' })
    await tree.waitFor()
    for (const name of cluster.namespaces) {
      const item = tree.getByRole('treeitem', { name: new RegExp(`^${name}\\b`) })
      await item.scrollIntoViewIfNeeded()
    }
    await tree.focus()
    await tree.press('Space')
    for (let i = 1; i < cluster.namespaces.length; i++) {
      await tree.press('ArrowDown')
      await tree.press('Space')
    }
    await look('fetch', 'chosen')
    await button('Save and fetch').click()
    await page.getByText(/Last fetch by/).waitFor()
    await look('cluster', 'fetched')
    await go('/clusters')
    await look('clusters', 'one')
    await go('/secrets')
    await page.getByRole('link', { name: first.secret.split('/')[1] }).or(page.getByText(first.secret)).first().waitFor()
    await look('secrets', 'list')
    await go(`/secrets/${cluster.name}/${first.secret}`)
    await page.getByText(first.key).first().waitFor()
    await look('secret', 'keys')
  },
  'the database and its account': async () => {
    await go('/resources')
    await button('New resource').first().click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('orders-db')
    await choose('Type', /PostgreSQL/i)
    await dialog.getByLabel('Host', { exact: true }).fill(database.host)
    await dialog.getByLabel('Port', { exact: true }).fill(database.port)
    await dialog.getByLabel('CA certificates', { exact: true }).fill(database.ca)
    await button('Make the resource').click()
    await heading('orders-db')
    await look('resource', 'empty')
    await button('New account').first().click()
    await dialog.getByLabel('Name', { exact: true }).fill(database.role)
    await dialog.getByLabel('Password', { exact: true }).fill(database.password)
    await button('Make the account').click()
    await heading(database.role)
    await button('Verify').click()
    await page.getByText('verified', { exact: false }).first().waitFor()
    await look('account', 'verified')
  },
  'three keys are associated': async () => {
    await page.getByRole('navigation', { name: database.role }).getByRole('link', { name: /Mappings/ }).click()
    await page.getByRole('link', { name: 'Associate…' }).first().click()
    await heading(`Associate ${database.role}`)
    await choose('Cluster', cluster.name)
    await choose('Secret', first.secret)
    await choose('Key', new RegExp(`^${first.key}`))
    await page.getByText(/compared without showing/).first().waitFor()
    await field('Map them too').check()
    await look('associate', 'equal')
    await button('Map 3 keys and save').click()
    await heading(database.role)
    await page.getByRole('grid', { name: `Mappings of ${database.role}` }).getByText('in sync').nth(2).waitFor()
    await look('account', 'mappings')
  },
  'the reset is watched until every key is proved': async () => {
    await page.getByRole('link', { name: 'Reset password' }).click()
    await heading(`Reset ${database.role}`)
    await page.getByText(/It writes 3 keys/).waitFor()
    await look('reset', 'generate')
    await button(`Reset ${database.role}`).click()
    await page.getByRole('list', { name: 'Steps of the run' }).waitFor()
    // The page was opened while it ran; from here it changes by the server's events alone.
    await page.getByText('The system refused a login with version 1.').waitFor()
    await page.getByText('3 of 3 mapped keys were read back with version 2.').waitFor()
    await page.waitForFunction('document.title.includes("done")')
    await look('run', 'done')
    await inRail('Runs').click()
    await heading('Runs')
    await page.getByRole('grid', { name: 'Runs' }).getByText('3 of 3').waitFor()
    await look('runs', 'list')
  },
  'the mapped details': async () => {
    await go(`/resources/${cluster.namespaces[0]}-${cluster.name}?tab=mapped`)
    await page.getByRole('grid', { name: /^Mapped keys of/ }).getByText('in sync').first().waitFor()
    await look('resource', 'mapped')
    await go(`/resources/orders-db/accounts/${database.role}`)
    await page.getByText('v2').first().waitFor()
    await look('account', 'versions')
  },
  'the audit log is intact and tells of the run': async () => {
    await go('/audit')
    await button('Verify log').click()
    await page.getByText(/entries match the signed log/).waitFor()
    await look('audit', 'intact')
    await field('Filter events').fill('action:account.reset')
    await field('Filter events').press('Enter')
    await page.waitForURL(/action=account.reset/)
    await page.getByRole('grid', { name: 'Audit events' }).getByRole('link', { name: 'account.reset' }).first().click()
    await heading('account.reset')
    await look('event', 'plain')
    await link('all of this run').click()
    await page.getByRole('grid', { name: 'Audit events' }).getByText('run.verified').waitFor()
  },
  'the settings': async () => {
    await go('/settings/groups?do=new')
    await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('db-owners')
    await button('Make the group').click()
    await page.getByRole('grid', { name: 'Groups' }).getByText('db-owners').waitFor()
    await go('/settings/grants?do=new')
    await choose('Group', 'db-owners')
    await choose('Resource', 'orders-db')
    await look('settings-grants', 'dialog')
    await button('Grant it').click()
    await page.getByRole('list', { name: 'Grants' }).getByText('db-owners').waitFor()
    await go('/settings/tokens?do=new')
    await page.getByRole('dialog').getByLabel('Name').first().fill('ci')
    await button('Make the token').click()
    await page.getByText(/shown here once/).waitFor()
    await look('settings-tokens', 'made')
    await button('I have it').click()
    for (const section of ['', 'users', 'groups', 'grants', 'tokens', 'server', 'appearance']) {
      await go(section === '' ? '/settings' : `/settings/${section}`)
      await look(section === '' ? 'settings' : `settings-${section}`, 'plain')
    }
  },
  'the overview has nothing that needs somebody': async () => {
    await go('/')
    await look('overview', 'well')
  },
}

/** Kubernetes fills the token in shortly after the manifest was applied. */
async function connectorToken() {
  for (let i = 0; i < 100; i++) {
    const token = kubectl('-n', 'keyturn', 'get', 'secrets/keyturn-token', '-o', 'jsonpath={.data.token}')
    if (token !== '') return token
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('the connector has no token')
}

const told = new Set()
/** Says each fault once, at the step that showed it. */
function tell() {
  for (const fault of faults) {
    if (!told.has(fault)) process.stdout.write(`FAULT ${fault}\n`)
    told.add(fault)
  }
}

let failed = ''
try {
  for (const [name, step] of Object.entries(steps)) {
    const begun = Date.now()
    try {
      await step()
    } catch (error) {
      failed = name
      await shoot('failed').catch(() => {})
      throw new Error(`${name}: at ${page.url().replace(base, '')}: ${error.message}`)
    }
    process.stdout.write(`${((Date.now() - begun) / 1000).toFixed(1)} s  ${name}\n`)
    tell()
  }
} catch (error) {
  faults.unshift(error.message)
} finally {
  await browser.close()
}
if (failed === '') writeFileSync(join(folder, 'played'), '')
tell()
process.exitCode = faults.length === 0 ? 0 : 1
