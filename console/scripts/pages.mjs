// Writes dist/.pages.json: what the browser needs for each page beside the entry, and what the page reads first. The server
// names both in its answer, so that they are on their way before the first script runs.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'dist/.vite/manifest.json'), 'utf8'))
const reads = JSON.parse(readFileSync(join(root, 'src/app/reads.json'), 'utf8'))
const source = readFileSync(join(root, 'src/app/pages.ts'), 'utf8')

/** The files of a part and of all that it imports, in the order in which they are needed. */
function filesOf(key, seen = new Set()) {
  const { file, css = [], imports = [] } = manifest[key]
  for (const next of imports) filesOf(next, seen)
  for (const name of [...css, file]) seen.add(name)
  return seen
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry)
const first = filesOf(entry)
const pages = {}
for (const [, path, part] of source.matchAll(/\['(\/[^']*)', lazyRouteComponent\(\(\) => import\('\.\.\/([^']+)'\)/g)) {
  pages[path] = { files: [...filesOf(`src/${part}.tsx`)].filter((file) => !first.has(file)), reads: reads[path] }
}
const unknown = Object.keys(reads).filter((path) => !(path in pages))
if (unknown.length > 0 || Object.keys(pages).length !== source.match(/lazyRouteComponent\(/g).length) {
  throw new Error(`src/app/pages.ts is not written as this script reads it, or has no page ${unknown.join(', ')}`)
}
writeFileSync(join(root, 'dist/.pages.json'), JSON.stringify(pages))
