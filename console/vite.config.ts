import react from '@vitejs/plugin-react'
import { readFileSync } from 'node:fs'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// The server replaces this in index.html with a nonce of its own for each answer.
const noncePlaceholder = '__CSP_NONCE__'

const listParts = /src\/(app\/(list|ListGrid)|ui\/(Grid|GridHead|GridRow|GridLink|rowWindow|columns|FilterBar|filter|Counts|ListBar|EmptyState|PageHead|Offer)|features\/resources\/(parts|resource|address|named|StateCounts|Waiting|PlaceLink))\.|@mantine\/core\/esm\/components\/(Combobox|PillsInput|Pill)\//

/** Fails the build when a part of Mantine is used whose styles src/ui/mantine.css leaves out. */
function mantineStyles(): Plugin {
  return {
    name: 'mantine-styles',
    generateBundle(_, bundle) {
      const styles = readFileSync(new URL('src/ui/mantine.css', import.meta.url), 'utf8')
      const used = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? Object.keys(part.modules) : []))
      const missing = used.flatMap((id) => /@mantine\/core\/esm\/.*\/(\w+)\.module\.mjs$/.exec(id)?.[1] ?? []).filter((name) => !styles.includes(`/${name}.css'`))
      if (missing.length > 0) this.error(`src/ui/mantine.css lacks the styles of ${missing.join(', ')}`)
    },
  }
}

export default defineConfig({
  plugins: [react(), mantineStyles()],
  html: { cspNonce: noncePlaceholder },
  build: {
    target: 'es2022',
    // dist/.gitkeep must stay, or the Go build has nothing to embed.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    manifest: true,
    // What the pages with a list have in common comes in one file and not in twenty: each costs a browser a millisecond or two.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'list', test: listParts }] } } },
  },
  server: { host: '127.0.0.1', proxy: { '/api': { target: process.env['KEYTURN_URL'] ?? 'http://127.0.0.1:8200' } } },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    maxWorkers: 2,
    // The accessibility check is slow on a busy machine; that is no failure.
    testTimeout: 30_000,
    css: false,
    restoreMocks: true,
  },
})
