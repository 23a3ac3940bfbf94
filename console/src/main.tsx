import '@mantine/core/styles.css'
import './ui/base.css'
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { applyPolicies, pageNonce } from './app/csp'
import { makeRouter, takeSetupToken } from './app/router'
import { themeStorageKey } from './ui/preferences'
import { PreferencesProvider } from './ui/PreferencesProvider'
import { cssVariablesResolver, theme } from './ui/theme'

applyPolicies()
const router = makeRouter(takeSetupToken())
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
          <RouterProvider router={router} />
        </PreferencesProvider>
      </MantineProvider>
    </StrictMode>,
  )
}
