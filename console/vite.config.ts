import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// The server replaces this in index.html with a nonce of its own for each answer.
const noncePlaceholder = '__CSP_NONCE__'

export default defineConfig({
  plugins: [react()],
  html: { cspNonce: noncePlaceholder },
  build: {
    target: 'es2022',
    // dist/.gitkeep must stay, or the Go build has nothing to embed.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    manifest: true,
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
