import { useParams } from '@tanstack/react-router'
import { bodyOf, useApi } from '../../app/api'
import { Fact, Facts } from '../../ui/Fact'
import { bytes } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { type Tab, tabOf, Tabs } from '../../ui/Tabs'
import { Time } from '../../ui/Time'
import { sourceWord, useVersions } from '../accounts/account'
import { textOf, useAddress } from '../resources/address'
import { gone, useNamed } from '../resources/named'
import classes from '../resources/parts.module.css'
import { PlaceLink, resourcePlace } from '../resources/PlaceLink'
import { StateWord } from '../resources/StateCounts'
import { Loaded } from '../resources/Waiting'
import { DriftPolicy } from '../conflicts/DriftPolicy'
import { SecretConflict } from '../conflicts/SecretConflict'
import { Download } from './Download'
import { type Secret, secretAnswer } from './secret'
import { Trouble } from './Trouble'
import { SecretKeys } from './SecretKeys'

export function SecretPage() {
  const api = useApi()
  const { cluster = '', namespace = '', name = '' } = useParams({ strict: false }) as { cluster?: string; namespace?: string; name?: string }
  const read = async (secret: string, signal: AbortSignal) => bodyOf(await api.GET('/api/v1/secrets/{secret}', { params: { path: { secret } }, signal }))
  const secret = useNamed<Secret>({
    kind: 'secret',
    name: { cluster, namespace, name },
    find: async (signal) => {
      const find = async (state?: string[]) => bodyOf(await api.GET('/api/v1/secrets', { params: { query: { cluster, namespace, name, state, limit: 1 } }, signal })).items ?? []
      // One that was deleted is listed only when it is asked for; one that was made again comes first.
      const found = (await find())[0] ?? (await find(['tombstone']))[0]
      if (!found) throw gone('Secret')
      return read(found.id, signal)
    },
    read,
  })
  return (
    <>
      {secret.data === undefined && <PageHead title={`${namespace}/${name}`} above={crumbs(cluster, namespace)} />}
      <Loaded of={secret}>{(data) => <Shown secret={data} />}</Loaded>
    </>
  )
}

const crumbs = (cluster: string, namespace: string) => [
  { label: 'Secrets', to: '/secrets' },
  { label: cluster, to: `/clusters/${encodeURIComponent(cluster)}` },
  { label: namespace },
]

const tabs: readonly Tab[] = [{ key: 'keys', label: 'Keys' }, { key: 'versions', label: 'Versions' }, { key: 'facts', label: 'Facts' }]

function Shown({ secret }: { secret: Secret }) {
  const { search } = useAddress()
  const current = textOf(search['tab'])
  const tab = tabOf(tabs, current)
  return (
    <>
      <PageHead
        title={`${secret.namespace}/${secret.name}`}
        above={crumbs(secret.clusterName, secret.namespace)}
        state={
          <>
            <StateWord object="key" state={secret.state}>{secret.deletedAt ? <Time at={secret.deletedAt} /> : undefined}</StateWord>
            <Trouble of={secret} />
            <span><bdi>{secret.clusterName}</bdi></span>
            <span className={classes.muted}>{secret.type}</span>
          </>
        }
        actions={<Download secret={secret} />}
      >
        <p>{secretAnswer(secret)}</p>
      </PageHead>
      <SecretConflict secret={secret.id} differs={secret.state === 'conflict' || secret.state === 'drift'} />
      <Tabs label={`${secret.namespace}/${secret.name}`} tabs={tabs} current={current} />
      {tab === 'keys' && <SecretKeys secret={secret} />}
      {tab === 'versions' && <SecretVersions id={secret.id} />}
      {tab === 'facts' && <SecretFacts secret={secret} />}
    </>
  )
}

function SecretFacts({ secret }: { secret: Secret }) {
  const labels = Object.entries(secret.labels ?? {})
  return (
    <>
      <Facts>
        <Fact label="Cluster"><PlaceLink place={{ to: '/clusters/$cluster', params: { cluster: secret.clusterName } }}><bdi>{secret.clusterName}</bdi></PlaceLink></Fact>
        <Fact label="Resource"><PlaceLink place={resourcePlace(secret.resourceName)}><bdi>{secret.resourceName}</bdi></PlaceLink></Fact>
        <Fact label="Type">{secret.type}</Fact>
        <Fact label="Immutable">{secret.immutable ? 'yes: its values cannot be changed in the cluster' : 'no'}</Fact>
        <Fact label="Size">at most {bytes(secret.size)}</Fact>
        <Fact label="Labels">{labels.length === 0 ? 'none' : labels.map(([name, value]) => <div key={name}><code><bdi>{name}={value}</bdi></code></div>)}</Fact>
        <Fact label="UID"><code>{secret.uid}</code></Fact>
        <Fact label="Resource version"><code>{secret.resourceVersion}</code></Fact>
        <Fact label="Last seen"><Time at={secret.seenAt} as="exact" /></Fact>
        {secret.deletedAt && <Fact label="Deleted in the cluster"><Time at={secret.deletedAt} as="exact" /></Fact>}
      </Facts>
      {!secret.deletedAt && <DriftPolicy of="secret" object={{ ...secret, name: `${secret.namespace}/${secret.name}` }} may={secret.can?.['onDrift']} />}
    </>
  )
}

/** What the Secret was when it was read before. */
function SecretVersions({ id }: { id: string }) {
  const versions = useVersions(id)
  return (
    <Loaded of={versions}>
      {(all) => (
        <table className={classes.table}>
          <thead><tr><th scope="col">Version</th><th scope="col">Stage</th><th scope="col">Source</th><th scope="col">By</th><th scope="col">When</th></tr></thead>
          <tbody>
            {all.map((v) => (
              <tr key={v.number}>
                <td><b>v{v.number}</b></td>
                <td><StateWord object="version" state={v.stage} /></td>
                <td data-label="Source">{sourceWord(v.source)}</td>
                <td data-label="By"><bdi>{v.actor}</bdi></td>
                <td data-label="When"><Time at={v.createdAt} as="exact" /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Loaded>
  )
}
