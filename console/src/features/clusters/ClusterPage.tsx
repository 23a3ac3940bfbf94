import { ActionIcon, Menu } from '@mantine/core'
import { IconDots, IconTrash } from '@tabler/icons-react'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { count } from '../../ui/format'
import { iconProps } from '../../ui/icons'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import { type Tab, tabOf, Tabs } from '../../ui/Tabs'
import { Time } from '../../ui/Time'
import classes from './Cluster.module.css'
import { ClusterState, Followed } from './ClusterState'
import { ActivityTab, ConnectionTab, NamespacesTab } from './ClusterTabs'
import { type Cluster, may, pathOf, truth, underWay, useCluster } from './clusters'
import { FetchProgress, handled } from './FetchProgress'
import { Loading } from './Loading'
import { Offer, OfferItem } from '../../ui/Offer'
import { useClusterActions } from './useClusterActions'

const above = [{ label: 'Clusters', to: '/clusters' }]

/** One cluster: whether it is connected with the rights it needs, and what came from it. */
export function ClusterPage() {
  const { cluster: ref = '' } = useParams({ strict: false }) as { cluster?: string }
  const { cluster, problem, onRetry } = useCluster(ref)
  if (cluster === undefined) {
    return (
      <>
        <PageHead title={ref} above={above} />
        {problem ? <ProblemView problem={problem} onRetry={onRetry} /> : <Loading label="Reading the cluster" />}
      </>
    )
  }
  return (
    <>
      {problem && <ProblemView problem={problem} onRetry={onRetry} />}
      <Shown cluster={cluster} />
    </>
  )
}

function Shown({ cluster }: { cluster: Cluster }) {
  const navigate = useNavigate()
  const { tab } = useSearch({ strict: false }) as { tab?: string }
  const actions = useClusterActions()
  const { fetch } = cluster
  const busy = underWay(fetch)
  const tabs: readonly Tab[] = [{ key: 'namespaces', label: 'Namespaces', count: cluster.resources }, { key: 'connection', label: 'Connection' }, { key: 'activity', label: 'Activity' }]
  const shown = tabOf(tabs, tab)
  const removed = cluster.state === 'removed'
  // While one goes on another would be refused.
  const free = (verb: string) => (busy && may(cluster, verb).allowed ? { allowed: false, reason: 'A fetch or sync of this cluster is under way.' } : may(cluster, verb))
  const buttons = (
    <>
      <Offer variant="filled" may={free('fetch')} onClick={() => void navigate({ to: pathOf(cluster.name, 'fetch') })}>Fetch</Offer>
      <Offer variant="default" may={free('sync')} onClick={() => actions.sync(cluster)}>Sync</Offer>
      <Offer variant="default" may={may(cluster, 'update')} onClick={() => void navigate({ to: pathOf(cluster.name, 'edit') })}>Edit</Offer>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={32} aria-label={`What else to do with ${cluster.name}`}><IconDots {...iconProps} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <OfferItem may={may(cluster, 'delete')} icon={<IconTrash {...iconProps} />} onClick={() => actions.remove(cluster)}>Remove</OfferItem>
        </Menu.Dropdown>
      </Menu>
    </>
  )
  return (
    <>
      <PageHead
        title={cluster.name}
        above={above}
        tab={busy && fetch && fetch.total > 0 ? `${count(handled(fetch))}/${count(fetch.total)} ${cluster.name}` : undefined}
        state={<><ClusterState cluster={cluster} />{cluster.checkedAt && <span>checked <Time at={cluster.checkedAt} /></span>}{cluster.version && <span>{cluster.version}</span>}</>}
        actions={removed ? undefined : buttons}
      >
        {truth(cluster)}
      </PageHead>
      {actions.problem && <ProblemView problem={actions.problem} onDismiss={actions.dismiss} />}
      <ul className={classes.numbers} aria-label="Counts">
        <li><b>{count(cluster.secrets)}</b> {cluster.secrets === 1 ? 'Secret' : 'Secrets'}</li>
        <li><b>{count(cluster.mapped)}</b> mapped {cluster.mapped === 1 ? 'key' : 'keys'}</li>
        <li data-warn={cluster.drifted > 0 || undefined}><b>{count(cluster.drifted)}</b> drift</li>
        <li>changes: <Followed cluster={cluster} /></li>
      </ul>
      {fetch && <FetchProgress fetch={fetch} />}
      <Tabs label={`Parts of ${cluster.name}`} tabs={tabs} current={tab} />
      {shown === 'namespaces' && <NamespacesTab cluster={cluster} />}
      {shown === 'connection' && <ConnectionTab cluster={cluster} />}
      {shown === 'activity' && <ActivityTab cluster={cluster} />}
      {actions.dialog}
    </>
  )
}
