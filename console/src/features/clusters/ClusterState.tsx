import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { type Cluster, stateOf } from './clusters'

/** A cluster's state as icon and word. */
export function ClusterState({ cluster }: { cluster: Cluster }) {
  const state = stateOf(cluster)
  return state === undefined ? <span>{cluster.state}</span> : <State object="cluster" state={state} />
}

/** Why a cluster is not in order, and since when; nothing for one that is. */
export function ClusterReason({ cluster }: { cluster: Cluster }) {
  if (!cluster.reason) return null
  return (
    <>
      {cluster.since !== undefined && <>since <Time at={cluster.since} as="exact" />: </>}
      {cluster.reason}
    </>
  )
}
