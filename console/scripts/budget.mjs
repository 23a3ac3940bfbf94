// Fails when what a first visit loads is larger than allowed.
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const limits = { first: { js: 230_000, css: 40_000 }, lazy: { graph: 65_000, charts: 190_000, other: 40_000 } }

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))

const packed = (file) => {
  const gz = join(dist, `${file}.gz`)
  return existsSync(gz) ? statSync(gz).size : gzipSync(readFileSync(join(dist, file)), { level: 9 }).length
}

/** Everything that loading an entry loads before it runs. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) closure(next, seen)
  return seen
}

const size = (keys) => {
  const js = new Set()
  const css = new Set()
  for (const key of keys) {
    js.add(manifest[key].file)
    for (const file of manifest[key].css ?? []) css.add(file)
  }
  const sum = (files) => [...files].reduce((total, file) => total + packed(file), 0)
  return { js: sum(js), css: sum(css) }
}

const html = readFileSync(join(dist, 'index.html'), 'utf8')
const unhashed = [...html.matchAll(/<script[^>]* src="\/([^"]+)"/g)].map((m) => m[1]).filter((f) => !f.startsWith('assets/'))
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry)
const firstKeys = closure(entry)
const first = size(firstKeys)
first.js += unhashed.reduce((total, file) => total + packed(file), 0)

const failures = []
const report = (name, got, limit) => {
  process.stdout.write(`${got > limit ? 'OVER' : 'ok  '} ${name.padEnd(28)} ${(got / 1000).toFixed(1)} of ${limit / 1000} kB gzip\n`)
  if (got > limit) failures.push(name)
}
report('first JS', first.js, limits.first.js)
report('first CSS', first.css, limits.first.css)
for (const key of Object.keys(manifest).filter((k) => manifest[k].isDynamicEntry)) {
  const own = size([...closure(key)].filter((k) => !firstKeys.has(k)))
  const name = manifest[key].name ?? key
  report(`route ${name}`, own.js + own.css, limits.lazy[name] ?? limits.lazy.other)
}
// The manifest served its purpose; it is no part of what is embedded.
rmSync(join(dist, '.vite'), { recursive: true })
if (failures.length > 0) process.exit(1)
