import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react'
import { asProblem } from '../api/problem'
import { keys } from '../api/keys'
import { useIsRestored } from '../features/restore/restore'
import { type Jump, withRecent } from '../features/palette/palette'
import type { EntryKey } from '../ui/nav'
import { PlainPage } from '../ui/Page'
import { ProblemView } from '../ui/ProblemView'
import { ApiContext, bodyOf, makeApi, SessionContext } from './api'
import { Frame } from './Frame'
import { Help } from './Help'
import { mySession, SessionWatch } from './session'
import { useKeys } from './useKeys'

// A full load after a change of session: nothing of the old one stays in memory.
const leave = (address: string) => location.assign(address)

const paletteAfterMs = 2000
const RestoredNotice = lazy(() => import('../features/restore/RestoredNotice').then((m) => ({ default: m.RestoredNotice })))
const Palette = lazy(() => import('../features/palette/Palette').then((m) => ({ default: m.Palette })))

/** What a person who may do an operation finds in the rail. */
const entryOf: readonly [EntryKey, string][] = [
  ['clusters', 'cluster.list'],
  ['secrets', 'account.list'],
  ['resources', 'resource.list'],
  ['runs', 'run.list'],
  ['schedule', 'account.list'],
  ['policies', 'policy.list'],
  ['conflicts', 'conflict.list'],
  ['audit', 'audit.list'],
]

/** Every page behind a session: who is signed in, the frame, and the page of the address. */
export function Inside() {
  const client = useQueryClient()
  const { href } = useLocation()
  const [help, setHelp] = useState(false)
  const [palette, setPalette] = useState<'never' | 'open' | 'closed'>('never')
  const [recent, setRecent] = useState<readonly Jump[]>([])
  useKeys()
  useEffect(() => {
    // Loaded and drawn closed when the page has come to rest, it opens at once.
    const timer = setTimeout(() => setPalette((before) => (before === 'never' ? 'closed' : before)), paletteAfterMs)
    return () => clearTimeout(timer)
  }, [])
  const [watch] = useState(() => new SessionWatch())
  const api = useMemo(() => makeApi({ onSignedOut: watch.end, onSealed: () => leave('/sealed') }), [watch])
  const who = useQuery(mySession(api))
  const restored = useIsRestored()
  const running = useQuery({
    queryKey: keys.counts('run'),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/runs', { params: { query: { limit: 1 } }, signal })).counts ?? {},
    enabled: who.data !== undefined,
  })
  const waits = useQuery({
    queryKey: keys.counts('conflict'),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/conflicts', { params: { query: { limit: 1 } }, signal })).counts ?? {},
    // An auditor sees what waits for others.
    enabled: who.data?.can['conflict.list']?.allowed === true && who.data.user.role !== 'auditor',
  })
  const onStay = useCallback(async () => {
    await client.refetchQueries({ queryKey: keys.one('session', 'mine') })
  }, [client])
  const signOut = useCallback(() => {
    void api.DELETE('/api/v1/session').finally(() => leave('/login'))
  }, [api])
  if (who.data === undefined) {
    if (who.error === null) return null
    // The reading may have begun before this page did, so what it says is done here and not by the call.
    const problem = asProblem(who.error)
    if (problem.status === 401 || problem.kind === 'sealed') {
      leave(problem.kind === 'sealed' ? '/sealed' : href === '/' ? '/login' : `/login?next=${encodeURIComponent(href)}`)
      return null
    }
    return <PlainPage title="The console cannot start"><ProblemView problem={problem} onRetry={() => void who.refetch()} /></PlainPage>
  }
  const session = who.data
  const visible: EntryKey[] = ['overview', ...entryOf.filter(([, op]) => session.can[op]?.allowed).map(([entry]) => entry), 'settings']
  return (
    <ApiContext value={api}>
      <SessionContext value={session}>
        <Frame
          watch={watch}
          user={{ name: session.user.name }}
          visible={visible}
          waiting={{ conflicts: (waits.data?.['open'] ?? 0) + (waits.data?.['stopped'] ?? 0) }}
          running={(running.data?.['running'] ?? 0) + (running.data?.['queued'] ?? 0)}
          idleUntil={session.idleUntil === undefined ? undefined : Date.parse(session.idleUntil)}
          onStay={onStay}
          onLeave={leave}
          onJump={() => setPalette('open')}
          onHelp={() => setHelp(true)}
          onSignOut={signOut}
        >
          {restored && <Suspense><RestoredNotice /></Suspense>}
          <Outlet />
          {palette !== 'never' && (
            <Suspense>
              <Palette opened={palette === 'open'} onClose={() => setPalette('closed')} visible={visible} recent={recent} onJump={(jump) => setRecent((before) => withRecent(before, jump))} />
            </Suspense>
          )}
          <Help opened={help} onClose={() => setHelp(false)} />
        </Frame>
      </SessionContext>
    </ApiContext>
  )
}
