import { State } from '../../ui/State'
import { Time } from '../../ui/Time'
import { type Cluster, stateOf, underWay } from './clusters'

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

/** How far the repository is behind a cluster: whether its changes arrive as they happen, and if not, since when they do not. */
export function Followed({ cluster }: { cluster: Cluster }) {
  const { fetch, syncedAt, watch } = cluster
  if (underWay(fetch)) return <>under way</>
  if (watch?.state === 'live') return watch.changedAt ? <>live, last change <Time at={watch.changedAt} /></> : <>live, no change yet</>
  if (watch?.state === 'waiting') return <>not followed since <Time at={watch.since} /></>
  return syncedAt === undefined ? <>never</> : <Time at={syncedAt} />
}
