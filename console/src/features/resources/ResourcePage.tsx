import { useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useMay } from '../../app/api'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { type Tab, tabOf, Tabs } from '../../ui/Tabs'
import { textOf, useAddress } from './address'
import { Offer } from '../../ui/Offer'
import { kubernetes, type Resource, useResource, worstFirst } from './resource'
import { StateCounts } from './StateCounts'
import { Loaded } from './Waiting'

// Loaded when it is first shown.
const AccountsTab = lazy(() => import('./AccountsTab').then((m) => ({ default: m.AccountsTab })))
const SecretsTab = lazy(() => import('./SecretsTab').then((m) => ({ default: m.SecretsTab })))
const ConnectionTab = lazy(() => import('./ConnectionTab').then((m) => ({ default: m.ConnectionTab })))
const NewAccount = lazy(() => import('./NewAccount').then((m) => ({ default: m.NewAccount })))
const MappedTab = lazy(() => import('./MappedTab').then((m) => ({ default: m.MappedTab })))

/** What stands on a resource, in one sentence. */
export function resourceAnswer({ type, accounts, states, clusterName, clusterRemoved, namespace }: Resource): string {
  const isKube = type === kubernetes
  const noun = `${isKube ? 'Secret' : 'account'}${accounts === 1 ? '' : 's'}`
  const where = isKube ? ` of namespace ${namespace} in ${clusterName}` : ''
  const removed = clusterRemoved ? ' The cluster was removed; what was fetched is kept.' : ''
  if (accounts === 0) return `No ${isKube ? 'Secrets' : 'accounts'}${where} yet.${removed}`
  const bad = worstFirst(isKube ? 'key' : 'account', states).filter(([word]) => !['in_sync', 'verified', 'tombstone'].includes(word))
  const open = bad.reduce((sum, [, n]) => sum + n, 0)
  const good = isKube ? 'in sync' : 'verified'
  if (open === 0) return accounts === 1 ? `1 ${noun}${where}, ${good}.${removed}` : `${count(accounts)} ${noun}${where}, all ${good}.${removed}`
  return `${count(accounts)} ${noun}${where}; ${count(open)} not ${good}.${removed}`
}

export function ResourcePage() {
  const { resource: name = '' } = useParams({ strict: false }) as { resource?: string }
  const resource = useResource(name)
  return (
    <>
      {resource.data === undefined && <PageHead title={name} above={[{ label: 'Resources', to: '/resources' }]} />}
      <Loaded of={resource}>{(data) => <Shown resource={data} />}</Loaded>
    </>
  )
}

function Shown({ resource }: { resource: Resource }) {
  const { search, change } = useAddress()
  const mayList = useMay('account.list')
  const isKube = resource.type === kubernetes
  const tabs: Tab[] = [
    { key: 'accounts', label: isKube ? 'Secrets' : 'Accounts', count: resource.accounts },
    { key: 'mapped', label: 'Mapped details' },
    { key: 'connection', label: 'Connection' },
  ]
  const tab = tabOf(tabs, textOf(search['tab']))
  const add = () => change({ dialog: 'new' }, { push: true })
  return (
    <>
      <PageHead
        title={resource.name}
        above={[{ label: 'Resources', to: '/resources' }]}
        state={<><span>{resource.type}</span>{resource.through && <span>through <bdi>{resource.through.clusterName ?? 'a cluster that you do not see'}</bdi></span>}<StateCounts object={isKube ? 'key' : 'account'} counts={resource.states} /></>}
        actions={!isKube && <Offer may={resource.can?.['createAccount']} variant="filled" onClick={add}>New account</Offer>}
      >
        {resourceAnswer(resource)}
      </PageHead>
      <Tabs label={resource.name} tabs={tabs} current={textOf(search['tab'])} />
      <Suspense>
        {tab === 'accounts' && (isKube ? <SecretsTab resource={resource} /> : <AccountsTab resource={resource} may={mayList.allowed} onAdd={add} />)}
        {tab === 'mapped' && <MappedTab resource={resource} />}
        {tab === 'connection' && <ConnectionTab resource={resource} />}
      </Suspense>
      <Suspense>{!isKube && textOf(search['dialog']) === 'new' && <NewAccount resource={resource} opened onClose={() => change({ dialog: '' })} />}</Suspense>
    </>
  )
}
