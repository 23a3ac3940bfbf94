import { ActionIcon, Menu } from '@mantine/core'
import { IconDots, IconDownload, IconPencil, IconRefresh, IconTrash } from '@tabler/icons-react'
import { Link, useNavigate } from '@tanstack/react-router'
import { count } from '../../ui/format'
import { iconProps } from '../../ui/icons'
import { ClusterReason, ClusterState, Followed } from './ClusterState'
import classes from './ClusterTable.module.css'
import { type Cluster, may, pathOf } from './clusters'
import { OfferItem } from '../../ui/Offer'
import type { ClusterActions } from './useClusterActions'

export interface ClusterTableProps {
  clusters: readonly Cluster[]
  /** What the rows' menus do; without it they have none. */
  actions?: ClusterActions
  /** A new filter is loading: what stands is dimmed. */
  loading?: boolean
  /** Only half a page is there: the counts stand in the line below each row. */
  narrow?: boolean
}

/** Clusters, each with the whole reason of its state in a line of its own. */
export function ClusterTable({ clusters, actions, loading = false, narrow = false }: ClusterTableProps) {
  return (
    <table className={classes.table} aria-label="Clusters" aria-busy={loading} data-loading={loading || undefined} data-narrow={narrow || undefined}>
      <thead>
        <tr>
          <th scope="col">Cluster</th>
          <th scope="col">State</th>
          <th scope="col" data-wide="">Kubernetes</th>
          <th scope="col" data-wide="" data-number="">Secrets</th>
          <th scope="col" data-wide="" data-number="">Mapped</th>
          <th scope="col" data-wide="" data-number="">Drift</th>
          <th scope="col" data-wide="">Changes</th>
          {actions && <td />}
        </tr>
      </thead>
      {clusters.map((cluster) => <Row key={cluster.id} cluster={cluster} actions={actions} />)}
    </table>
  )
}

function Row({ cluster, actions }: { cluster: Cluster; actions: ClusterActions | undefined }) {
  return (
    <tbody>
      <tr>
        <th scope="row"><Link to={pathOf(cluster.name)}><bdi>{cluster.name}</bdi></Link></th>
        <td><ClusterState cluster={cluster} /></td>
        <td data-wide="">{cluster.version || '–'}</td>
        <td data-wide="" data-number="">{count(cluster.secrets)}</td>
        <td data-wide="" data-number="">{count(cluster.mapped)}</td>
        <td data-wide="" data-number="" data-drift={cluster.drifted > 0 || undefined}>{count(cluster.drifted)}</td>
        <td data-wide=""><Followed cluster={cluster} /></td>
        {actions && <td className={classes.menu}><RowMenu cluster={cluster} actions={actions} /></td>}
      </tr>
      <tr className={classes.more} data-bare={!cluster.reason || undefined}>
        <td colSpan={actions ? 8 : 7}>
          {cluster.reason && <p className={classes.reason}><ClusterReason cluster={cluster} /></p>}
          <p className={classes.facts}>
            {count(cluster.secrets)} {cluster.secrets === 1 ? 'Secret' : 'Secrets'} · {count(cluster.mapped)} mapped · {count(cluster.drifted)} drift · changes: <Followed cluster={cluster} />
          </p>
        </td>
      </tr>
    </tbody>
  )
}

function RowMenu({ cluster, actions }: { cluster: Cluster; actions: ClusterActions }) {
  const navigate = useNavigate()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={28} aria-label={`What to do with ${cluster.name}`}><IconDots {...iconProps} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <OfferItem may={may(cluster, 'fetch')} icon={<IconDownload {...iconProps} />} onClick={() => void navigate({ to: pathOf(cluster.name, 'fetch') })}>Fetch</OfferItem>
        <OfferItem may={may(cluster, 'update')} icon={<IconPencil {...iconProps} />} onClick={() => void navigate({ to: pathOf(cluster.name, 'edit') })}>Edit</OfferItem>
        <OfferItem may={may(cluster, 'sync')} icon={<IconRefresh {...iconProps} />} onClick={() => actions.sync(cluster)}>Sync</OfferItem>
        <Menu.Divider role="separator" />
        <OfferItem may={may(cluster, 'delete')} icon={<IconTrash {...iconProps} />} onClick={() => actions.remove(cluster)}>Remove</OfferItem>
      </Menu.Dropdown>
    </Menu>
  )
}
