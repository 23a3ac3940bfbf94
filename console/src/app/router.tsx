import { createRootRoute, createRoute, createRouter, type RouterHistory } from '@tanstack/react-router'
import { FailedPage, LoginPage, NotFoundPage, safeNext, SealedPage, SetupPage } from '../routes/pages'
import { Inside } from './Inside'
import { pages } from './pages'
import { parseSearch, stringifySearch } from './search'

const root = createRootRoute({ notFoundComponent: NotFoundPage, errorComponent: FailedPage })

// A full load after a change of session: nothing of the old one stays in memory.
const open = (path: string) => location.assign(path)

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search): { next?: string } => ('next' in search ? { next: safeNext(search['next']) } : {}),
  component: function Login() {
    const { next } = login.useSearch()
    return <LoginPage onDone={() => open(next ?? '/')} />
  },
})

const sealed = createRoute({ getParentRoute: () => root, path: '/sealed', component: () => <SealedPage onOpen={() => open('/')} /> })

/**
 * Only pages that exist are registered. The token is taken from the address
 * before the router sees it. `onInside` is called while the parts of a page
 * behind a session load, so that what all of them ask first is on its way.
 */
export function makeRouter(setupToken: string, { history, onInside }: { history?: RouterHistory; onInside?: () => void } = {}) {
  const inside = createRoute({ getParentRoute: () => root, id: 'inside', component: Inside, loader: () => onInside?.() })
  const insidePages = pages.map(([path, component]) => createRoute({ getParentRoute: () => inside, path, component }))
  const setup = createRoute({
    getParentRoute: () => root,
    path: '/setup',
    component: () => <SetupPage token={setupToken} onDone={() => open('/')} />,
  })
  return createRouter({ routeTree: root.addChildren([login, setup, sealed, inside.addChildren(insidePages)]), parseSearch, stringifySearch, history })
}

/** Reads the one-time token from the fragment and wipes it from the address bar at once. */
export function takeSetupToken(): string {
  if (location.pathname !== '/setup' || location.hash === '') return ''
  const token = location.hash.slice(1)
  history.replaceState(null, '', '/setup')
  return token
}
