import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { count } from '../../ui/format'
import { useToast } from '../../ui/say'
import { type Cluster, pathOf } from './clusters'

export interface ClusterActions {
  sync: (cluster: Cluster) => void
  remove: (cluster: Cluster) => void
  /** Why the last sync could not be started; it stays until dismissed. */
  problem: Problem | undefined
  dismiss: () => void
  /** The question before a removal; draw it once. */
  dialog: ReactNode
}

const many = (n: number, word: string) => `${count(n)} ${word}${n === 1 ? '' : 's'}`

/** What removing the association does, and what it does not. */
function consequences({ resources, secrets, mapped }: Cluster): string[] {
  return [
    'Keyturn forgets the address and the token of this cluster. It asks nothing of the cluster, so this works while it is unreachable.',
    `${many(resources, 'resource')} with ${many(secrets, 'Secret')} and all stored values stay.`,
    mapped === 0 ? 'No key of it is mapped.' : `${many(mapped, 'mapped key')} will not be written until it is connected again.`,
    'Nothing in the cluster changes. The account keyturn and its rights stay there until you delete them.',
  ]
}

/** What can be done with a cluster from its row and from its page. Both lead to a page that shows what came of it. */
export function useClusterActions(): ClusterActions {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const [problem, setProblem] = useState<Problem>()
  const [removing, setRemoving] = useState<Cluster>()
  const [asked, setAsked] = useState(false)

  const startSync = async (cluster: Cluster) => {
    setProblem(undefined)
    try {
      await api.POST('/api/v1/clusters/{cluster}/sync', { params: { path: { cluster: cluster.id } } })
    } catch (error) {
      setProblem(asProblem(error))
      return
    }
    await client.invalidateQueries({ queryKey: keys.one('cluster', cluster.id) })
    await navigate({ to: pathOf(cluster.name) })
  }
  const doRemove = async (cluster: Cluster) => {
    try {
      await api.DELETE('/api/v1/clusters/{cluster}', { params: { path: { cluster: cluster.id }, header: ifMatch(`"${cluster.rev}"`) } })
    } catch (error) {
      // The dialog stays and shows it; what is asked next is of the cluster as it is now.
      if (changedMeanwhile(error)) setRemoving(bodyOf(await api.GET('/api/v1/clusters/{cluster}', { params: { path: { cluster: cluster.id } } })))
      throw error
    }
    await navigate({ to: '/clusters' })
    client.removeQueries({ queryKey: keys.one('cluster', cluster.id) })
    await client.invalidateQueries({ queryKey: keys.lists('cluster') })
    say(`${cluster.name} is no longer associated`)
  }
  const dialog = removing && (
    <Confirm
      level={2}
      opened={asked}
      onClose={() => setAsked(false)}
      verb="Remove"
      object={removing.name}
      consequences={consequences(removing)}
      onConfirm={() => doRemove(removing)}
    />
  )
  return {
    sync: (cluster) => void startSync(cluster),
    remove: (cluster) => {
      setRemoving(cluster)
      setAsked(true)
    },
    problem,
    dismiss: () => setProblem(undefined),
    dialog,
  }
}
