import type { Schemas } from '../../app/api'

export type Place = Schemas['Place']
export type Format = Place['format']

/** The formats of a value that holds more than a password, as a person knows them. */
export const formatNames: Readonly<Record<Exclude<Format, 'whole'>, string>> = {
  url: 'URL',
  keyvalue: 'key-value DSN',
  'go-mysql': 'Go MySQL DSN',
  jdbc: 'JDBC URL',
  pgpass: '.pgpass',
  mycnf: 'my.cnf',
  env: '.env',
  properties: '.properties',
  json: 'JSON',
  yaml: 'YAML',
  dockerconfigjson: 'pull secret',
  htpasswd: 'htpasswd',
  template: 'a text of your own',
}

export type Holds = NonNullable<Schemas['NewMapping']['holds']>

/** What of an account stands in a key. */
export const holdsNames: Readonly<Record<Holds, string>> = { password: 'the password', username: 'the user name', both: 'user name and password' }

const isHolds = (word: string): word is Holds => Object.hasOwn(holdsNames, word)

export const holdsText = (word: string | undefined) => (word === undefined ? holdsNames.password : isHolds(word) ? holdsNames[word] : word)

/** What `at` means for a format; undefined where it has one place only. */
export const atOf: Readonly<Partial<Record<Format, { label: string; example: string; needed: boolean }>>> = {
  pgpass: { label: 'Line', example: 'db:5432:orders', needed: true },
  mycnf: { label: 'Section, or section/key', example: 'client', needed: true },
  env: { label: 'Variable', example: 'DB_PASSWORD', needed: true },
  properties: { label: 'Key', example: 'spring.datasource.password', needed: true },
  json: { label: 'JSON pointer', example: '/db/password', needed: true },
  yaml: { label: 'JSON pointer', example: '/db/password', needed: true },
  dockerconfigjson: { label: 'Registry', example: 'registry.example.com', needed: true },
  htpasswd: { label: 'User', example: 'admin', needed: false },
}

/** Whether a place is complete enough to be asked about. */
export function complete({ format, at, template }: Place): boolean {
  if (format === 'template') return (template ?? '').includes('{{password')
  return atOf[format]?.needed !== true || (at ?? '') !== ''
}

/** "JSON at /db/password"; "the whole value" where there is no place. */
export function placeText(place: Place | undefined): string {
  if (place === undefined || place.format === 'whole') return 'the whole value'
  return place.at === undefined || place.at === '' ? formatNames[place.format] : `${formatNames[place.format]} at ${place.at}`
}
