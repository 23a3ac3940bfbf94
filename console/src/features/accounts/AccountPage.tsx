import { useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi, useMay } from '../../app/api'
import { PageHead } from '../../ui/PageHead'
import { type Tab, tabOf, Tabs } from '../../ui/Tabs'
import { Time } from '../../ui/Time'
import { textOf, useAddress } from '../resources/address'
import { useRead } from '../resources/named'
import { PlaceLink } from '../resources/PlaceLink'
import { readTypes } from '../resources/resource'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { type Account, crumbs, truth, useAccount } from './account'
import { Readiness } from '../plans/Readiness'
import { AccountActions } from './AccountActions'
import { NextChange } from './NextChange'
import { strategyText } from './strategy'
import { VersionsTab } from './VersionsTab'

// Loaded when it is first shown.
const AccessTab = lazy(() => import('./AccessTab').then((m) => ({ default: m.AccessTab })))
const ActivityTab = lazy(() => import('./ActivityTab').then((m) => ({ default: m.ActivityTab })))
const PolicyTab = lazy(() => import('./PolicyTab').then((m) => ({ default: m.PolicyTab })))
const MappingsTab = lazy(() => import('./MappingsTab').then((m) => ({ default: m.MappingsTab })))

export function AccountPage() {
  const { resource = '', account: name = '' } = useParams({ strict: false }) as { resource?: string; account?: string }
  const account = useAccount(resource, name)
  return (
    <>
      {account.data === undefined && <PageHead title={name} above={crumbs(resource)} />}
      <Loaded of={account}>{(data) => <Shown account={data} />}</Loaded>
    </>
  )
}

function Shown({ account }: { account: Account }) {
  const api = useApi()
  const { search } = useAddress()
  const mayAudit = useMay('audit.list')
  const mappings = Object.values(account.mappings ?? {}).reduce((sum, n) => sum + n, 0)
  const tabs: Tab[] = [{ key: 'versions', label: 'Versions' }, { key: 'mappings', label: 'Mappings', count: mappings }, { key: 'policy', label: 'Policy' }]
  // Grants and the audit log are not everybody's to read.
  if (account.can?.['share']?.allowed) tabs.push({ key: 'access', label: 'Access' })
  if (mayAudit.allowed) tabs.push({ key: 'activity', label: 'Activity' })
  const types = useRead([...keys.lists('resource'), 'types'], (signal) => readTypes(api, signal))
  const type = types.data?.find((one) => one.type === account.resourceType)
  const strategy = strategyText(account.strategy, type)
  const current = textOf(search['tab'])
  const tab = tabOf(tabs, current)
  const verify = async () => bodyOf(await api.POST('/api/v1/accounts/{account}/verify', { params: { path: { account: account.id } } }))
  return (
    <>
      <PageHead
        title={account.name}
        above={crumbs(account.resourceName)}
        state={
          <>
            <StateWord object="account" state={account.state}>{account.verifiedAt && account.state === 'verified' ? <Time at={account.verifiedAt} /> : undefined}</StateWord>
            <Readiness state={account.readiness} at={account.rehearsedAt} />
            <span>on <bdi>{account.resourceName}</bdi> ({account.resourceType})</span>
          </>
        }
        actions={<AccountActions account={account} type={type} verify={verify} />}
      >
        <p>{truth(account)}{strategy && ` ${strategy}`}</p>
        {account.pair && <p>A pair of logins: <b><bdi>{account.login ?? account.name}</bdi></b> is in use, <bdi>{account.login === account.pair ? account.name : account.pair}</bdi> is the other.</p>}
        <NextChange account={account} />
        {account.run && <p><PlaceLink place={{ to: '/runs/$run', params: { run: account.run } }}>A reset is not finished: open its run</PlaceLink></p>}
      </PageHead>
      <Tabs label={account.name} tabs={tabs} current={current} />
      {tab === 'versions' && <VersionsTab account={account} />}
      <Suspense>
        {tab === 'mappings' && <MappingsTab account={account} />}
        {tab === 'policy' && <PolicyTab account={account} />}
        {tab === 'access' && <AccessTab account={account} />}
        {tab === 'activity' && <ActivityTab account={account} />}
      </Suspense>
    </>
  )
}
