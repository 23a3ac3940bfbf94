import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.tsx')).map((file) => join('src', file))

test('every class that a part names stands in its stylesheet', () => {
  const missing = sources.flatMap((file) => {
    const source = readFileSync(file, 'utf8')
    return [...source.matchAll(/import (\w+) from '(.+\.module\.css)'/g)].flatMap(([, name, path]) => {
      const styles = readFileSync(join(dirname(file), path ?? ''), 'utf8')
      const named = [...source.matchAll(new RegExp(`\\b${name}\\.(?!module)(\\w+)`, 'g'))].map((match) => match[1])
      return named.filter((one) => !new RegExp(`\\.${one}\\b`).test(styles)).map((one) => `${file}: ${one}`)
    })
  })
  expect(missing).toEqual([])
})
