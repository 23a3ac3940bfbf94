import type { Schemas } from '../../app/api'
import type { Resource } from './resource'

/** What a resource inside a cluster is: the port of a service or a pod, or the ServiceAccounts of a namespace. */
export type Kind = 'service' | 'pod' | 'serviceaccounts'

/** How a resource is reached, as it is typed: directly, or through a cluster. It may be half typed. */
export type Way = { cluster: string; namespace: string; kind: Kind; name: string } | undefined

/** A way through a cluster with nothing typed yet. */
export const noWay = (type: Pick<Schemas['Type'], 'ofCluster'>): NonNullable<Way> => ({ cluster: '', namespace: '', kind: type.ofCluster ? 'serviceaccounts' : 'service', name: '' })

/** The place in its cluster, as the command line writes it: NAMESPACE/service/NAME, or NAMESPACE/serviceaccounts. */
export function placeOf(way: NonNullable<Way>): string {
  return [way.namespace.trim(), way.kind, ...(way.kind === 'serviceaccounts' ? [] : [way.name.trim()])].join('/')
}

/** The way that a resource has. The cluster's name is empty if it is one that the user may not see. */
export function wayOf({ through }: Pick<Resource, 'through'>): Way {
  if (through === undefined) return undefined
  const [namespace = '', kind = '', name = ''] = through.place.split('/')
  return { cluster: through.clusterName ?? '', namespace, kind: kind as Kind, name }
}

/** The way as it is sent; nothing for the direct one. */
export function throughOf(way: Way): Schemas['Through'] {
  return way === undefined ? { cluster: '', place: '' } : { cluster: way.cluster, place: placeOf(way) }
}

/** The way as people read it, and as a form keeps it. */
export function wayText(way: Way): string {
  return way === undefined ? 'directly' : `${placeOf(way)} in ${way.cluster || 'a cluster that you do not see'}`
}

/** Why no resource of a type can be reached through a cluster; undefined when one can. */
export function wayFault(type: Pick<Schemas['Type'], 'ofCluster'>, { scope, can }: Pick<Schemas['Cluster'], 'scope' | 'can'>): string | undefined {
  const may = can?.['update']
  if (!may?.allowed) return may?.reason ?? 'You do not manage it.'
  if (type.ofCluster) return scope.replace ? undefined : 'Its connector may not replace Secrets.'
  return scope.portForward ? undefined : 'Its connector may not connect to ports of pods.'
}
