import { keys } from '../../api/keys'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { count } from '../../ui/format'
import { Time } from '../../ui/Time'
import { useRead } from '../resources/named'
import classes from '../resources/parts.module.css'
import { PlaceLink } from '../resources/PlaceLink'
import { Loaded } from '../resources/Waiting'
import type { Account } from './account'

const shown = 50

/** "allowed", or how it was refused. */
export function outcomeText({ outcome, reason }: Pick<Schemas['AuditEvent'], 'outcome' | 'reason'>): string {
  return outcome === 'allowed' ? outcome : `${outcome}${reason ? `: ${reason}` : ''}`
}

/** Who did what with this account, newest first. */
export function ActivityTab({ account }: { account: Account }) {
  const api = useApi()
  const events = useRead([...keys.one('account', account.id), 'activity'], async (signal) =>
    bodyOf(await api.GET('/api/v1/audit', { params: { query: { kind: 'account', object: account.id, limit: shown } }, signal })))
  return (
    <Loaded of={events}>
      {({ items, total }) => {
        const all = items ?? []
        if (all.length === 0) return <p className={classes.note}>Nothing is recorded of this account yet.</p>
        return (
          <>
            <table className={classes.table}>
              <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Outcome</th><th scope="col">Entry</th></tr></thead>
              <tbody>
                {all.map((event) => (
                  <tr key={event.id}>
                    <td><Time at={event.at} as="exact" /></td>
                    <td data-label="Who"><bdi>{event.actor}</bdi></td>
                    <td>{event.action}{event.details?.['version'] && <span className={classes.muted}> v{event.details['version']}</span>}</td>
                    <td>{outcomeText(event)}</td>
                    <td data-label="Entry"><PlaceLink place={{ to: '/audit/$event', params: { event: event.id } }}>{event.seq > 0 ? `#${count(event.seq)}` : 'open'}</PlaceLink></td>
                  </tr>
                ))}
              </tbody>
            </table>
            {total > all.length && (
              <p className={classes.note}>The latest {all.length} of {count(total)}. <PlaceLink place={{ to: '/audit', search: { kind: 'account', object: account.id } }}>All in the audit log</PlaceLink></p>
            )}
          </>
        )
      }}
    </Loaded>
  )
}
