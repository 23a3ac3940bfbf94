import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { count } from '../../ui/format'
import { useRead } from '../resources/named'
import parts from '../resources/parts.module.css'
import { Loaded } from '../resources/Waiting'
import { StateWord } from '../resources/StateCounts'
import classes from './account.module.css'
import { type Account, type Mapping, worstMappings } from './account'

const shown = 12

/** Whether a reset leaves the key as it is. */
export const isSkipped = ({ state }: Pick<Mapping, 'state'>) => state === 'hands_off' || state === 'tombstone'

/** What a reset writes, in one sentence. */
export function writeText(mappings: readonly Pick<Mapping, 'state' | 'clusterName'>[], total: number): string {
  if (total === 0) return 'No Secret key is mapped: only the system is changed.'
  const clusters = new Set(mappings.map(({ clusterName }) => clusterName)).size
  const skipped = mappings.filter(isSkipped).length
  const keysText = `${count(total)} ${total === 1 ? 'key' : 'keys'} in ${count(clusters)} ${clusters === 1 ? 'cluster' : 'clusters'}`
  return skipped === 0 ? `It writes ${keysText}.` : `Of ${keysText}, ${count(skipped)} ${skipped === 1 ? 'is' : 'are'} not written: another controller owns ${skipped === 1 ? 'it' : 'them'}, or the Secret is gone.`
}

/** What will be written where. */
export function WillWrite({ account }: { account: Account }) {
  const api = useApi()
  const mappings = useRead(keys.list('mapping', { account: account.id, as: 'plan' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/mappings', { params: { query: { account: account.id, sort: 'state', limit: 500 } }, signal })))
  return (
    <section aria-label="What will be written" className={classes.plan}>
      <h2>What will be written</h2>
      <Loaded of={mappings} lines={2}>
        {({ items, total }) => {
          const all = worstMappings(items ?? [])
          return (
            <>
              <p className={parts.note}>{writeText(all, total)}</p>
              {all.length > 0 && (
                <table className={parts.table}>
                  <thead><tr><th scope="col">Cluster</th><th scope="col">Secret</th><th scope="col">Key</th><th scope="col">Now</th></tr></thead>
                  <tbody>
                    {all.slice(0, shown).map((m) => (
                      <tr key={m.id}>
                        <td data-label="Cluster"><bdi>{m.clusterName}</bdi></td>
                        <td><bdi>{m.namespace}/{m.secret}</bdi></td>
                        <td data-label="Key"><code><bdi>{m.key}</bdi></code></td>
                        <td><StateWord object="key" state={m.state} /></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
              {total > shown && <p className={parts.note}>and {count(total - shown)} more</p>}
            </>
          )
        }}
      </Loaded>
    </section>
  )
}
