import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { GridLink } from '../../ui/GridLink'
import type { Place } from '../../ui/Offer'
import classes from './parts.module.css'

export const resourcePlace = (name: string): Place => ({ to: '/resources/$resource', params: { resource: name } })

/** The page on which an account is. */
export const accountPlace = (m: { resourceName: string; accountName: string }): Place => ({
  to: '/resources/$resource/accounts/$account',
  params: { resource: m.resourceName, account: m.accountName },
})

/** The page of a Secret. */
export const secretPlace = (s: { clusterName: string; namespace: string; name: string }): Place => ({
  to: '/secrets/$cluster/$namespace/$name',
  params: { cluster: s.clusterName, namespace: s.namespace, name: s.name },
})

/** A link to a page. Within a grid it is no tab stop of its own. */
export function PlaceLink({ place, inGrid = false, children }: { place: Place; inGrid?: boolean; children: ReactNode }) {
  if (inGrid) return <GridLink place={place} className={classes.link}>{children}</GridLink>
  return <Link to={place.to} params={place.params as never} search={place.search as never} className={classes.link}>{children}</Link>
}
