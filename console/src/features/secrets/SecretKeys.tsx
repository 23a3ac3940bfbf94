import { useApi, type Schemas } from '../../app/api'
import { keySize } from '../../ui/format'
import { Value } from '../../ui/Value'
import classes from '../resources/parts.module.css'
import { StateWord } from '../resources/StateCounts'
import { revealer, type Secret } from './secret'
import { accountPlace, PlaceLink } from '../resources/PlaceLink'

/** A link to the account that a key is mapped to. */
export function MappedTo({ mapping }: { mapping: Schemas['Mapping'] }) {
  return (
    <PlaceLink place={accountPlace(mapping)}>
      <bdi>{mapping.accountName}</bdi> on <bdi>{mapping.resourceName}</bdi>
    </PlaceLink>
  )
}

/** The keys of a Secret, each with what is known of it and its value behind the one door. */
export function SecretKeys({ secret, values = true }: { secret: Secret; values?: boolean }) {
  const api = useApi()
  const keys = secret.keys ?? []
  const may = secret.can?.['reveal']
  if (keys.length === 0) return <p className={classes.note}>This Secret has no keys.</p>
  return (
    <table className={classes.table}>
      <thead>
        <tr><th scope="col">Key</th><th scope="col">Size</th><th scope="col">Mapped to</th><th scope="col">State</th>{values && <th scope="col">Value</th>}</tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.name}>
            <td><code><bdi>{key.name}</bdi></code></td>
            <td data-label="Size">{keySize(key.size)}</td>
            <td data-label="Mapped to">{key.mapping ? <MappedTo mapping={key.mapping} /> : <span className={classes.muted}>not mapped</span>}</td>
            <td>
              {key.mapping && <StateWord object="key" state={key.mapping.state} />}
              {key.mapping?.reason && <p className={classes.note}>{key.mapping.reason}</p>}
            </td>
            {values && (
              <td data-wide="">
                <Value name={`${key.name} of ${secret.namespace}/${secret.name}`} reveal={may?.allowed ? revealer(api, secret.id, { key: key.name }) : undefined} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
