import type { Column } from '../../ui/columns'
import { Time } from '../../ui/Time'
import classes from '../resources/parts.module.css'
import { StateWord } from '../resources/StateCounts'
import { State } from '../../ui/State'
import { count } from '../../ui/format'
import { type Secret, troubleOf } from './secret'
import { secretPlace, PlaceLink } from '../resources/PlaceLink'

const name = (whole: boolean): Column<Secret> => ({
  key: 'namespace', title: 'Secret', width: 220, grow: 2, sortable: true,
  render: (s) => (
    <PlaceLink place={secretPlace(s)} inGrid>
      <bdi>{whole ? `${s.namespace}/${s.name}` : s.name}</bdi>
    </PlaceLink>
  ),
})
const state: Column<Secret> = { key: 'state', title: 'State', width: 130, sortable: true, render: (s) => <StateWord object="key" state={s.state} /> }
const cluster: Column<Secret> = { key: 'cluster', title: 'Cluster', width: 120, priority: 1, render: ({ clusterName }) => <bdi>{clusterName}</bdi> }
const type: Column<Secret> = { key: 'type', title: 'Type', width: 150, grow: 1, priority: 3, render: (s) => <span className={classes.muted}>{s.type}</span> }
const keyCount: Column<Secret> = {
  key: 'keys', title: 'Mapped', width: 156, priority: 2,
  render: (s) => {
    const worst = troubleOf(s)
    if (worst) return <State object="key" state={worst[0]}>{count(worst[1])} of {count(s.mappedKeys)}</State>
    return s.keyCount === 0 ? <span className={classes.muted}>no keys</span> : `${s.mappedKeys} of ${s.keyCount} keys`
  },
}
const seen: Column<Secret> = { key: 'seen', title: 'Seen', width: 110, priority: 4, render: ({ seenAt }) => <Time at={seenAt} /> }

/** The columns of a list of Secrets: of all clusters, or of one namespace. */
export const secretColumns = (all: boolean): readonly Column<Secret>[] =>
  all ? [name(true), state, keyCount, cluster, type, seen] : [name(false), state, keyCount, type, seen]
