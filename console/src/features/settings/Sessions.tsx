import { useQuery, useQueryClient } from '@tanstack/react-query'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { Offer } from '../../ui/Offer'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { Waiting } from '../runs/Waiting'
import { settingsKeys } from './keys'
import type { OpenSession } from './people'
import classes from './Settings.module.css'

function useSessions(user: string) {
  const api = useApi()
  return useQuery({ queryKey: settingsKeys.sessions(user), queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/sessions', { params: { query: { user } }, signal })).items ?? [] })
}

// Ending the session that one looks from would look like a fault; the way out is another.
const own = { allowed: false, reason: 'To end this one, log out in the menu at the top right.' }

/** Where a user is signed in, newest first. */
export function Sessions({ user, label, onEnd }: { user: string; label: string; onEnd: (session: OpenSession) => void }) {
  const query = useSessions(user)
  if (query.data === undefined) return query.error === null ? <Waiting /> : <ProblemView problem={asProblem(query.error)} onRetry={() => void query.refetch()} />
  if (query.data.length === 0) return <p>Not signed in anywhere.</p>
  return (
    <ul className={classes.list} aria-label={label}>
      {query.data.map((session) => (
        <li key={session.id}>
          <span className={classes.sentence}>
            From <b><bdi>{session.address || 'an unknown address'}</bdi></b>{session.current && ', this one'}.{' '}
            <span className={classes.muted}>Signed in <Time at={session.createdAt} />, last seen <Time at={session.lastSeenAt} /></span>
          </span>
          <Offer size="compact-sm" may={session.current ? own : session.can?.['delete']} label={`End the session from ${session.address}`} onClick={() => onEnd(session)}>End</Offer>
        </li>
      ))}
    </ul>
  )
}

/** Asks whether a session is to end, and ends it. */
export function EndSession({ user, session: id, opened, onClose }: { user: string; session: string | undefined; opened: boolean; onClose: () => void }) {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  const session = useSessions(user).data?.find((one) => one.id === id)
  if (session === undefined) return null
  const end = async () => {
    try {
      await api.DELETE('/api/v1/sessions/{session}', { params: { path: { session: session.id } } })
      say('The session has ended.')
    } finally {
      void client.invalidateQueries({ queryKey: settingsKeys.sessions(user) })
    }
  }
  return (
    <Confirm
      level={2}
      opened={opened && !session.current}
      onClose={onClose}
      verb="End"
      object={`the session from ${session.address || 'an unknown address'}`}
      consequences={['Whoever uses it is signed out at once; what they typed and did not save is lost.', 'They can sign in again. If it was a stranger, change the password too: that ends all other sessions.', 'API tokens keep working.']}
      onConfirm={end}
    />
  )
}
