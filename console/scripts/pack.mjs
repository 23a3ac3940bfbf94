// Writes FILE.gz beside each text file of dist, so that the server never compresses.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
for (const name of readdirSync(dist, { recursive: true })) {
  const file = join(dist, name)
  // index.html changes with every answer (its nonce), so it is not packed.
  if (!/\.(js|css|svg|json|map)$/.test(name) || !statSync(file).isFile()) continue
  const body = readFileSync(file)
  const packed = gzipSync(body, { level: 9 })
  if (packed.length < body.length) writeFileSync(`${file}.gz`, packed)
}
rmSync(join(dist, '.vite', 'manifest.json.gz'), { force: true })
