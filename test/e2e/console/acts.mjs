// What is done on some pages before they are looked at.
import { until } from './look.mjs'

/** The actions on a page of the server at `url`; `account` is the address of an account of the world. */
export function actions({ page, url, account }) {
  const button = (name) => page.getByRole('button', { name, exact: true })
  const inDialog = page.getByRole('dialog')

  /** The form of a resource that the cluster leads to. */
  async function throughCluster() {
    await inDialog.getByRole('radio', { name: 'Through a cluster' }).check()
    await inDialog.getByRole('combobox', { name: 'Cluster' }).click()
    await page.getByRole('option', { name: 'stage' }).click()
    await inDialog.getByLabel('Namespace', { exact: true }).first().fill('data')
    await inDialog.getByLabel('Service', { exact: true }).fill('orders')
  }

  async function serviceAccounts() {
    await inDialog.getByRole('combobox', { name: 'Type' }).click()
    await page.getByRole('option', { name: /ServiceAccount/ }).click()
    await inDialog.getByRole('combobox', { name: 'Cluster' }).click()
    await page.getByRole('option', { name: /prod-eu/ }).waitFor()
  }

  async function choosesConflicts() {
    for (const name of ['mail', 'queue', 'turned']) await page.getByRole('checkbox', { name: `Choose prod-eu/ledger/${name}` }).check()
    await button('Keep cluster…').click()
    await inDialog.getByText(/^Not prod-eu\/ledger\/turned/).waitFor()
  }

  /** Every workload that the rights reach, and what they add, as the wizard says it. */
  async function replaces() {
    await page.getByLabel('Namespaces', { exact: true }).first().fill('shop')
    await page.keyboard.press('Enter')
    await page.getByRole('checkbox', { name: /^May replace immutable Secrets/ }).check()
    await page.getByText('cronjobs').first().waitFor()
  }

  /** From an account to its plan, and what the plan says. */
  async function plans() {
    await page.getByRole('link', { name: 'Plan', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Plan for pages_app' }).waitFor()
    await page.getByText('2 keys', { exact: false }).first().waitFor()
  }

  /** Somebody changes what a mapping does after a reset, in another tab; the plan that is on the page is then of another world. */
  async function plansMeanwhile() {
    const other = await page.context().newPage()
    await other.goto(`${url}${account('pages_app', '?tab=mappings')}`)
    await other.getByRole('grid', { name: 'Mappings of pages_app' }).getByText('checkout/worker').first().click()
    await other.getByRole('button', { name: 'Edit…', exact: true }).click()
    await other.getByRole('radio', { name: 'Leave it alone' }).check()
    await other.getByRole('button', { name: /^Save the mapping/ }).click()
    await other.getByText(/was changed/).first().waitFor()
    await other.close()
    await button('Start…').click()
    await page.getByRole('button', { name: 'Reset pages_app', exact: true }).click()
    await inDialog.getByRole('alert').waitFor()
  }

  /** The plan as it is now is begun, and the run is carried out. */
  async function plansAgain() {
    await inDialog.getByRole('button', { name: 'Cancel' }).click()
    await button('Start…').click()
    await page.getByRole('button', { name: 'Reset pages_app', exact: true }).click()
    await page.getByRole('list', { name: 'Steps of the run' }).waitFor()
    await page.getByText('2 of 2 mapped keys were read back', { exact: false }).waitFor()
    await until(page, () => document.title.includes('done'))
  }

  /** Another tab of the same person is faster. */
  async function overtaken() {
    const open = (on) => on.getByRole('grid', { name: 'Groups' }).getByText('db-owners').first().click()
    const edit = async (on, text) => {
      await on.getByRole('button', { name: 'Edit', exact: true }).click()
      await on.getByLabel('Purpose', { exact: true }).fill(text)
    }
    const save = (on) => on.getByRole('button', { name: 'Save db-owners', exact: true }).click()
    await open(page)
    await edit(page, 'who answers for the databases')
    const other = await page.context().newPage()
    await other.goto(`${url}/settings/groups`)
    await open(other)
    await edit(other, 'who is paged for the databases')
    await save(other)
    await other.getByText('db-owners was changed').first().waitFor()
    await other.close()
    await save(page)
    await page.getByText(/who is paged for the databases/).first().waitFor()
  }

  return { overtaken, throughCluster, serviceAccounts, choosesConflicts, replaces, plans, plansMeanwhile, plansAgain }
}
