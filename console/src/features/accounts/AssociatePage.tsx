import { Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { looksLikeValue } from '../../ui/filter'
import { PageHead } from '../../ui/PageHead'
import { textOf, useAddress } from '../resources/address'
import { useRead } from '../resources/named'
import { Offer } from '../../ui/Offer'
import classes from '../resources/parts.module.css'
import { Loaded } from '../resources/Waiting'
import type { Secret } from '../secrets/secret'
import { type Account, crumbs, useAccount } from './account'
import { Compared } from './Compared'

export function AssociatePage() {
  const { resource = '', account: name = '' } = useParams({ strict: false }) as { resource?: string; account?: string }
  const account = useAccount(resource, name)
  return (
    <>
      <PageHead title={`Associate ${name}`} above={crumbs(resource, name)}>
        Choose the Secret key that holds this account’s password. The two are compared without showing either.
      </PageHead>
      <Loaded of={account}>
        {(data) => (data.can?.['map']?.allowed ? <Choice account={data} /> : <Offer may={data.can?.['map']}>Associate {data.name}</Offer>)}
      </Loaded>
    </>
  )
}

/** A Secret as its address names it. */
export function splitPath(path: string | undefined): { namespace: string; name: string } | undefined {
  const [namespace = '', name = '', ...rest] = (path ?? '').split('/')
  return namespace === '' || name === '' || rest.length > 0 ? undefined : { namespace, name }
}

const pathOf = (s: Secret) => `${s.namespace}/${s.name}`

function Choice({ account }: { account: Account }) {
  const api = useApi()
  const { search, change } = useAddress()
  const cluster = textOf(search['cluster'])
  const path = textOf(search['secret'])
  const key = textOf(search['key'])
  const [typed, setTyped] = useState('')
  const [part] = useDebouncedValue(typed, 150)
  // The text of the one that is chosen is no search, and what could be a value is not sent.
  const q = part === '' || part === path || looksLikeValue(part) ? undefined : part
  const clusters = useRead(keys.list('cluster', { as: 'choice' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/clusters', { params: { query: { limit: 500 } }, signal })).items ?? [])
  const secrets = useRead(keys.list('secret', { cluster, q, as: 'choice' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/secrets', { params: { query: { cluster, q, limit: 50 } }, signal })).items ?? [], cluster !== undefined)
  const named = splitPath(path)
  const chosen = useRead(keys.list('secret', { cluster, path, as: 'one' }), async (signal) => {
    const found = bodyOf(await api.GET('/api/v1/secrets', { params: { query: { cluster, ...named, limit: 1 } }, signal })).items ?? []
    const [one] = found
    return one === undefined ? null : bodyOf(await api.GET('/api/v1/secrets/{secret}', { params: { path: { secret: one.id } }, signal }))
  }, cluster !== undefined && named !== undefined)
  const secret = chosen.data ?? undefined
  const offered = (secrets.data ?? []).filter(({ can }) => can?.['map']?.allowed).map(pathOf)
  const paths = path !== undefined && !offered.includes(path) && q === undefined ? [path, ...offered] : offered
  return (
    <div className={classes.form}>
      <Select
        label="Cluster"
        placeholder="Choose a cluster"
        data={(clusters.data ?? []).map(({ name }) => name)}
        value={cluster ?? null}
        onChange={(next) => change({ cluster: next ?? '', secret: '', key: '' })}
        allowDeselect={false}
        error={clusters.problem && 'The clusters could not be read'}
      />
      <Select
        label="Secret"
        placeholder="Type a part of its name"
        searchable
        disabled={cluster === undefined}
        data={paths}
        filter={({ options }) => options}
        value={path ?? null}
        onChange={(next) => change({ secret: next ?? '', key: '' })}
        onSearchChange={setTyped}
        allowDeselect={false}
        nothingFoundMessage="No Secret that you may map"
        error={chosen.data === null ? 'There is no such Secret, or you may not see it' : secrets.problem && 'The Secrets could not be read'}
      />
      <Select
        label="Key"
        placeholder="Choose a key"
        disabled={secret === undefined}
        data={(secret?.keys ?? []).map(({ name, mapping }) => ({ value: name, label: mapping ? `${name}   mapped to ${mapping.accountName}` : name }))}
        value={key ?? null}
        onChange={(next) => change({ key: next ?? '' })}
        allowDeselect={false}
      />
      {secret !== undefined && key !== undefined && <Compared key={`${secret.id} ${key}`} account={account} secret={secret} name={key} />}
    </div>
  )
}
