import '../ui/mantine.css'
import '../ui/base.css'
import { MantineProvider } from '@mantine/core'
import { createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { applyPolicies, pageNonce } from '../app/csp'
import { parseSearch, stringifySearch } from '../app/search'
import { ClipboardGuard } from '../ui/ClipboardGuard'
import { PreferencesProvider } from '../ui/PreferencesProvider'
import { Shell } from '../ui/Shell'
import { cssVariablesResolver, theme } from '../ui/theme'
import { ToastRegion } from '../ui/Toast'
import { Gallery } from './Gallery'

// For those who build the console; no part of what is shipped.

const root = createRootRoute()
const any = createRoute({
  getParentRoute: () => root,
  path: '$',
  validateSearch: (search): { view?: string; tab?: string } => search,
  component: function Page() {
    const { view, tab } = any.useSearch()
    return (
      <Shell
        user={{ name: 'Anna' }}
        visible={['overview', 'clusters', 'secrets', 'resources', 'runs', 'audit', 'settings']}
        waiting={{ runs: 2 }}
        liveness={{ state: 'live' }}
        running={1}
        onJump={() => {}}
        onHelp={() => {}}
        onSignOut={() => {}}
      >
        <Gallery view={view} tab={tab} />
      </Shell>
    )
  },
})

applyPolicies()
const element = document.getElementById('root')
if (element) {
  createRoot(element).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariablesResolver} defaultColorScheme="auto" getStyleNonce={() => pageNonce() ?? ''}>
        <PreferencesProvider>
          <ClipboardGuard>
            <ToastRegion>
              <RouterProvider router={createRouter({ routeTree: root.addChildren([any]), parseSearch, stringifySearch }) as never} />
            </ToastRegion>
          </ClipboardGuard>
        </PreferencesProvider>
      </MantineProvider>
    </StrictMode>,
  )
}
