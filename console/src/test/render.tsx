import { MantineProvider } from '@mantine/core'
import { render } from '@testing-library/react'
import axe from 'axe-core'
import type { ReactElement, ReactNode } from 'react'
import { expect } from 'vitest'
import { ClipboardGuard } from '../ui/ClipboardGuard'
import { cssVariablesResolver, theme } from '../ui/theme'

/** Draws a part with the console's theme, without transitions. */
export function draw(ui: ReactElement) {
  return render(ui, {
    wrapper: ({ children }: { children: ReactNode }) => (
      <MantineProvider theme={theme} cssVariablesResolver={cssVariablesResolver} env="test">
        <ClipboardGuard>{children}</ClipboardGuard>
      </MantineProvider>
    ),
  })
}

/** Fails on any accessibility violation; contrast needs a real browser and is checked there. */
export async function expectAccessible(root: Element = document.body) {
  const { violations } = await axe.run(root, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    rules: { 'color-contrast': { enabled: false } },
  })
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary ?? ""}`).join(' | ')}`)).toEqual([])
}
