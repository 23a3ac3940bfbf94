import { useApi } from '../../app/api'
import { EmptyState } from '../../ui/EmptyState'
import { Time } from '../../ui/Time'
import { Value } from '../../ui/Value'
import { Offer } from '../../ui/Offer'
import classes from '../resources/parts.module.css'
import { accountPlace } from '../resources/PlaceLink'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { revealer } from '../secrets/secret'
import { type Account, sourceWord, useVersions, type Version } from './account'

/** Every value that the account had, without the values; each behind the one door. */
export function VersionsTab({ account }: { account: Account }) {
  const versions = useVersions(account.id)
  return (
    <Loaded of={versions}>
      {(all) =>
        all.length === 0 ? (
          <EmptyState empty={{ why: 'first', title: 'No versions yet', text: 'A version is one password that this account had. The first comes from a mapped key, from a reset, or when you store it.' }} />
        ) : (
          <Table account={account} versions={all} />
        )
      }
    </Loaded>
  )
}

function Table({ account, versions }: { account: Account; versions: readonly Version[] }) {
  const api = useApi()
  const place = accountPlace({ ...account, accountName: account.name })
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">Stage</th>
          <th scope="col">Source</th>
          <th scope="col">By</th>
          <th scope="col">When</th>
          <th scope="col">Value</th>
          <th scope="col"><span className={classes.spoken}>Actions</span></th>
        </tr>
      </thead>
      <tbody>
        {versions.map((v) => (
          <tr key={v.number}>
            <td><b>v{v.number}</b>{v.login && <> of <bdi>{v.login}</bdi></>}</td>
            <td><StateWord object="version" state={v.stage}>{v.stage === 'previous' && v.retiredAt ? <>until <Time at={v.retiredAt} /></> : undefined}</StateWord></td>
            <td data-label="Source">{sourceWord(v.source)}</td>
            <td data-label="By"><bdi>{v.actor}</bdi></td>
            <td data-label="When"><Time at={v.createdAt} /></td>
            <td data-wide=""><Value name={`${account.name} v${v.number}`} reveal={v.can?.['reveal']?.allowed ? revealer(api, account.id, { version: v.number }) : undefined} /></td>
            <td data-end="">
              {v.stage !== 'current' && (
                <Offer may={v.can?.['restore']} size="compact-sm" label={`Set again… v${v.number}`} to={{ ...place, to: `${place.to}/reset`, search: { version: String(v.number) } }}>Set again…</Offer>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
