import { Button, Group, PasswordInput, Radio, Select, Stack } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { useForm } from '../../ui/form'
import { absolute } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { usePreferences } from '../../ui/preferences'
import { ProblemView } from '../../ui/ProblemView'
import { textOf, useAddress } from '../resources/address'
import { fieldError } from '../resources/fields'
import { Offer } from '../../ui/Offer'
import parts from '../resources/parts.module.css'
import { accountPlace } from '../resources/PlaceLink'
import { useType } from '../resources/resource'
import { Loaded } from '../resources/Waiting'
import { type Account, crumbs, sourceWord, useAccount, useVersions } from './account'
import classes from './account.module.css'
import { Generate } from './Generate'
import { type Recipe, type ResetWay, policyOf, standardRecipe } from './policy'
import { WillWrite } from './WillWrite'

export function ResetPage() {
  const { resource = '', account: name = '' } = useParams({ strict: false }) as { resource?: string; account?: string }
  const account = useAccount(resource, name)
  return (
    <>
      <PageHead title={`Reset ${name}`} above={crumbs(resource, name)}>
        Changes the password on the system and writes it to every mapped key. Each step is proved before the next.
      </PageHead>
      <Loaded of={account}>
        {(data) => (data.can?.['reset']?.allowed ? <Form account={data} /> : <Offer may={data.can?.['reset']}>Reset {data.name}</Offer>)}
      </Loaded>
    </>
  )
}

/** The longest value that the server generates, in characters. */
const longest = 256

const ways: readonly { value: ResetWay; label: string }[] = [
  { value: 'generate', label: 'Generate a value' },
  { value: 'type', label: 'Type a value' },
  { value: 'version', label: 'Set an older version again' },
]

function Form({ account }: { account: Account }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { search, change } = useAddress()
  const named = textOf(search['version'])
  const [way, setWay] = useState<ResetWay>(named === undefined ? 'generate' : 'version')
  const [recipe, setRecipe] = useState<Recipe>(standardRecipe)
  const versions = useVersions(account.id)
  const type = useType(account.resourceType)
  // The cluster makes the value of such an account: there is nothing to type, and no rule for it.
  const issued = type?.ofCluster ?? false
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const body = way === 'generate' ? (issued ? {} : { policy: policyOf(recipe) }) : way === 'type' ? { value: field('value') } : { version: Number(named) }
    const run = bodyOf(await api.POST('/api/v1/accounts/{account}/reset', { params: { path: { account: account.id } }, body }))
    void client.invalidateQueries({ queryKey: keys.one('account', account.id) })
    void client.invalidateQueries({ queryKey: ['run'] })
    await navigate({ to: '/runs/$run', params: { run: run.id } } as never)
  })
  const ready = way !== 'version' || named !== undefined
  return (
    <form onSubmit={onSubmit} className={parts.form}>
      {problem && <ProblemView problem={problem} />}
      <fieldset className={classes.choice}>
        <legend>New value</legend>
        <Radio.Group aria-label="New value" value={way} onChange={(next) => setWay(next as ResetWay)}>
          <Group gap="lg">{ways.filter(({ value }) => !issued || value !== 'type').map(({ value, label }) => <Radio key={value} value={value} label={issued && value === 'generate' ? 'Have the cluster issue another token' : label} classNames={{ radio: classes.radio }} />)}</Group>
        </Radio.Group>
        {way === 'generate' && issued && <p className={parts.note}>In a Secret of a new name, which all that names the old one is told. The old token ends with its Secret.</p>}
        {way === 'generate' && !issued && <Generate recipe={recipe} onChange={setRecipe} least={type?.minLength ?? 1} most={Math.min(type?.maxLength || longest, longest)} problem={problem} />}
        {way === 'type' && (
          <PasswordInput name="value" label="Value" description="It goes straight to the server and is not kept here." required withAsterisk={false} autoComplete="new-password" error={fieldError(problem, 'value')} />
        )}
        {way === 'version' && (
          <Loaded of={versions}>
            {(all) => <Older versions={all} chosen={named} onChoose={(number) => change({ version: number })} />}
          </Loaded>
        )}
      </fieldset>
      <WillWrite account={account} />
      <Group gap="sm">
        <Button type="submit" loading={busy} disabled={!ready}>Reset {account.name}</Button>
        <Button variant="default" onClick={() => void navigate(accountPlace({ ...account, accountName: account.name }) as never)}>Cancel</Button>
      </Group>
    </form>
  )
}

function Older({ versions, chosen, onChoose }: { versions: NonNullable<ReturnType<typeof useVersions>['data']>; chosen: string | undefined; onChoose: (number: string) => void }) {
  const { preferences } = usePreferences()
  const older = versions.filter(({ stage, can }) => stage !== 'current' && can?.['restore']?.allowed)
  return (
    <Stack gap="sm">
      <Select
        label="Version"
        placeholder="Choose a version"
        data={older.map((v) => ({ value: String(v.number), label: `v${v.number}  ${v.stage}, ${sourceWord(v.source)} by ${v.actor}, ${absolute(Date.parse(v.createdAt), preferences.zone)}` }))}
        value={chosen ?? null}
        onChange={(next) => onChoose(next ?? '')}
        allowDeselect={false}
        nothingFoundMessage="There is no older version"
        error={older.length === 0 ? 'There is no older version to set again' : undefined}
      />
      <p className={parts.note}>It becomes a new version with the same value.</p>
    </Stack>
  )
}
