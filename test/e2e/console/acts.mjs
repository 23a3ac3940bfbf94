// What is done on some pages before they are looked at.

/** The actions on a page of the server at `url`. */
export function actions({ page, url }) {
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

  return { overtaken, throughCluster, serviceAccounts, choosesConflicts, replaces }
}
