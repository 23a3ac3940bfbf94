import './ui/mantine.css'
import './ui/base.css'
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { makeApi } from './app/api'
import { applyPolicies, pageNonce } from './app/csp'
import { makeQueryClient } from './app/query'
import { makeRouter, takeSetupToken } from './app/router'
import { mySession } from './app/session'
import { ClipboardGuard } from './ui/ClipboardGuard'
import { themeStorageKey } from './ui/preferences'
import { whenAtRest } from './ui/schemes'
import { PreferencesProvider } from './ui/PreferencesProvider'
import { cssVariablesResolver, theme } from './ui/theme'
import { ToastRegion } from './ui/Toast'

applyPolicies()
const queries = makeQueryClient()
const router = makeRouter(takeSetupToken(), { onInside: () => void queries.prefetchQuery(mySession(makeApi({}))) })
const schemes = whenAtRest(localStorageColorSchemeManager({ key: themeStorageKey }))
const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={cssVariablesResolver}
        colorSchemeManager={schemes}
        defaultColorScheme="auto"
        getStyleNonce={() => pageNonce() ?? ''}
      >
        <PreferencesProvider>
          <ClipboardGuard>
            <QueryClientProvider client={queries}>
              <ToastRegion>
                <RouterProvider router={router} />
              </ToastRegion>
            </QueryClientProvider>
          </ClipboardGuard>
        </PreferencesProvider>
      </MantineProvider>
    </StrictMode>,
  )
}
