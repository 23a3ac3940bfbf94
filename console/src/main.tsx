import '@mantine/core/styles.css'
import './ui/base.css'
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { applyPolicies, pageNonce } from './app/csp'
import { makeQueryClient } from './app/query'
import { makeRouter, takeSetupToken } from './app/router'
import { ClipboardGuard } from './ui/ClipboardGuard'
import { themeStorageKey } from './ui/preferences'
import { PreferencesProvider } from './ui/PreferencesProvider'
import { cssVariablesResolver, theme } from './ui/theme'
import { ToastRegion } from './ui/Toast'

applyPolicies()
const router = makeRouter(takeSetupToken())
const queries = makeQueryClient()
const schemes = localStorageColorSchemeManager({ key: themeStorageKey })
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
