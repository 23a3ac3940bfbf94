// The console's story in a real browser, on the real program, a real cluster and a real database. The Go test beside it
// starts all of them, says by the environment where they are, and proves the outcome with kubectl and psql. Values come
// from files, because the environment of a process can be read.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyboard, mouse } from './hands.mjs'
import { openBrowser, until } from './look.mjs'

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

// With the keyboard every job is done once more; how the pages look was seen with the mouse.
const byKeyboard = env('STORY_HANDS') === 'keyboard'
const { browser, page, faults, look, calibrate, shoot } = await openBrowser({ consoleDir: env('STORY_CONSOLE'), out: env('STORY_OUT'), looks: !byKeyboard })
const hands = byKeyboard ? keyboard(page) : mouse(page)

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
const choose = (name, option) => hands.choose(page.getByRole('combobox', { name, exact: true }).or(page.getByRole('textbox', { name, exact: true })).first(), option)

const steps = {
  'the one-time link makes the administrator': async () => {
    await page.goto(`${base}/setup#${read(setup)}`)
    await heading('Set up Keyturn')
    if ((await page.evaluate('location.hash')) !== '') throw new Error('the token stands in the address bar')
    await look('setup', 'plain')
    await hands.type(field('Name'), admin.name)
    await hands.type(field('Password'), admin.password)
    await hands.type(field('Password again'), admin.password)
    await hands.press(button('Make the administrator'))
    await heading('Overview')
    await look('overview', 'first-visit')
  },
  'signing out and in': async () => {
    await hands.press(button(`${admin.name}: your settings`))
    await hands.item('Log out')
    await heading('Sign in')
    await look('login', 'plain')
    await hands.type(field('Name'), admin.name)
    await hands.type(field('Password'), admin.password)
    await hands.press(button('Sign in'))
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
      await hands.type(namespaces, name)
      await page.keyboard.press('Enter')
    }
    await page.getByText('patch').first().waitFor()
    await look('wizard', 'rights')
    await hands.press(button('Next: apply them'))
    const [download] = await Promise.all([page.waitForEvent('download'), hands.press(link('Download keyturn-config.yaml'))])
    await look('wizard', 'apply')
    const manifest = join(folder, 'keyturn-config.yaml')
    await download.saveAs(manifest)
    kubectl('apply', '-f', manifest)
    await hands.press(link('Next: connect and test'))
    await hands.type(field('Name'), cluster.name)
    await hands.type(field('API server URL'), cluster.url)
    await hands.type(field('CA as PEM'), cluster.ca)
    await hands.type(field('Token'), await connectorToken())
    await look('wizard', 'connect')
    await hands.press(button('Test'))
    await page.getByRole('button', { name: 'Save', exact: true, disabled: false }).waitFor()
    await look('wizard', 'passed')
    await hands.press(button('Save'))
    await heading('Choose Secrets')
  },
  'all Secrets of both namespaces are fetched': async () => {
    const tree = page.getByRole('tree', { name: 'Secrets by namespace' })
    await tree.waitFor()
    for (const name of cluster.namespaces) {
      const item = tree.getByRole('treeitem', { name: new RegExp(`^${name}\\b`) })
      await item.scrollIntoViewIfNeeded()
    }
    await hands.focus(tree)
    await page.keyboard.press('Space')
    for (let i = 1; i < cluster.namespaces.length; i++) {
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Space')
    }
    await look('fetch', 'chosen')
    await hands.press(button('Save and fetch'))
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
    await hands.press(button('New resource').first())
    const dialog = page.getByRole('dialog')
    await hands.type(dialog.getByLabel('Name', { exact: true }), 'orders-db')
    await choose('Type', /PostgreSQL/i)
    await hands.type(dialog.getByLabel('Host', { exact: true }), database.host)
    await hands.type(dialog.getByLabel('Port', { exact: true }), database.port)
    await hands.type(dialog.getByLabel('CA certificates', { exact: true }), database.ca)
    await hands.press(button('Make the resource'))
    await heading('orders-db')
    await look('resource', 'empty')
    await hands.press(button('New account').first())
    await hands.type(dialog.getByLabel('Name', { exact: true }), database.role)
    await hands.type(dialog.getByLabel('Password', { exact: true }), database.password)
    await hands.press(button('Make the account'))
    await heading(database.role)
    await hands.press(button('Verify'))
    await page.getByText('verified', { exact: false }).first().waitFor()
    await look('account', 'verified')
  },
  'three keys are associated': async () => {
    await hands.press(page.getByRole('navigation', { name: database.role }).getByRole('link', { name: /Mappings/ }))
    await hands.press(page.getByRole('link', { name: 'Associate…' }).first())
    await heading(`Associate ${database.role}`)
    await choose('Cluster', cluster.name)
    await choose('Secret', first.secret)
    await choose('Key', new RegExp(`^${first.key}`))
    await page.getByText(/compared without showing/).first().waitFor()
    await hands.check(field('Map them too'))
    await look('associate', 'equal')
    await hands.press(button('Map 3 keys and save'))
    await heading(database.role)
    await page.getByRole('grid', { name: `Mappings of ${database.role}` }).getByText('in sync').nth(2).waitFor()
    await look('account', 'mappings')
  },
  'the reset is watched until every key is proved': async () => {
    await hands.press(page.getByRole('link', { name: 'Reset password' }))
    await heading(`Reset ${database.role}`)
    await page.getByText(/It writes 3 keys/).waitFor()
    await look('reset', 'generate')
    await hands.press(button(`Reset ${database.role}`))
    await page.getByRole('list', { name: 'Steps of the run' }).waitFor()
    // The page was opened while it ran; from here it changes by the server's events alone.
    await page.getByText('The system refused a login with version 1.').waitFor()
    await page.getByText('3 of 3 mapped keys were read back with version 2.').waitFor()
    await until(page, () => document.title.includes('done'))
    await look('run', 'done')
    await hands.press(inRail('Runs'))
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
    await hands.press(button('Verify log'))
    await page.getByText(/entries match the signed log/).waitFor()
    // What a person did comes in one order; what the workers did at one time, in any.
    await hands.type(field('Filter events'), `actor:${admin.name}`)
    await page.keyboard.press('Enter')
    await page.waitForURL(/actor=/)
    await look('audit', 'intact')
    await hands.type(field('Filter events'), 'action:account.reset')
    await page.keyboard.press('Enter')
    await page.waitForURL(/action=account.reset/)
    await hands.openRow(page.getByRole('grid', { name: 'Audit events' }), 'account.reset')
    await heading('account.reset')
    await look('event', 'plain')
    await hands.press(link('all of this run'))
    await page.getByRole('grid', { name: 'Audit events' }).getByText('run.verified').waitFor()
  },
  'the settings': async () => {
    await go('/settings/groups?do=new')
    await hands.type(page.getByRole('dialog').getByLabel('Name', { exact: true }), 'db-owners')
    await hands.press(button('Make the group'))
    await page.getByRole('grid', { name: 'Groups' }).getByText('db-owners').waitFor()
    await go('/settings/grants?do=new')
    await choose('Group', 'db-owners')
    await choose('Resource', 'orders-db')
    await look('settings-grants', 'dialog')
    await hands.press(button('Grant it'))
    await page.getByRole('list', { name: 'Grants' }).getByText('db-owners').waitFor()
    await go('/settings/tokens?do=new')
    await hands.type(page.getByRole('dialog').getByLabel('Name').first(), 'ci')
    await hands.press(button('Make the token'))
    await page.getByText(/shown here once/).waitFor()
    await look('settings-tokens', 'made')
    await hands.press(button('I have it'))
    for (const section of ['', 'users', 'groups', 'grants', 'tokens', 'server', 'appearance']) {
      await go(section === '' ? '/settings' : `/settings/${section}`)
      await look(section === '' ? 'settings' : `settings-${section}`, 'plain')
    }
  },
  'the palette finds the account, and a pair of keys the Secrets': async () => {
    await page.keyboard.press('ControlOrMeta+K')
    await page.getByRole('combobox', { name: 'Search or jump to' }).waitFor()
    await page.keyboard.type(database.role)
    await page.getByRole('group', { name: 'Accounts' }).getByRole('option', { name: database.role }).waitFor()
    await look('palette', 'found')
    await page.keyboard.press('Enter')
    await heading(database.role)
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await heading('Secrets')
    await page.keyboard.press('/')
    await until(page, () => document.activeElement?.matches('[data-filter]'))
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
  if (!byKeyboard) await calibrate()
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
