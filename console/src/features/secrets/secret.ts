import { Problem } from '../../api/problem'
import type { StateOf } from '../../api/states'
import { type Api, bodyOf, type Schemas } from '../../app/api'
import { worstFirst } from '../resources/resource'

export type Secret = Schemas['Secret']

const binary = () =>
  new Problem({
    type: 'not-text',
    title: 'This value is not text',
    status: 0,
    cause: 'It holds bytes that cannot be shown.',
    cure: 'Download the Secret to have it.',
    unchanged: 'The reading was recorded as a reveal.',
  })

/** Asks for a value of an account, or of one key of a Secret. The server records it before it answers. */
export function revealer(api: Api, id: string, what: { version?: number; key?: string }): (signal: AbortSignal) => Promise<string> {
  return async (signal) => {
    const { base64, value } = bodyOf(await api.POST('/api/v1/accounts/{account}/reveal', { params: { path: { account: id } }, body: what, signal }))
    if (base64) throw binary()
    return value
  }
}

/** The worst state of the mapped keys that are not as they should be, and how many are in it. The Secret's own state is another fact: whether what is stored is what its cluster has. */
export function troubleOf({ state, mappings }: Secret): [StateOf<'key'>, number] | undefined {
  if (state === 'tombstone') return undefined
  return worstFirst('key', mappings).find(([word]) => word !== 'in_sync' && word !== state)
}

/** What a Secret is, in one sentence. */
export function secretAnswer({ state, keyCount, mappedKeys, reason, deletedAt }: Secret): string {
  const keys = `${keyCount} ${keyCount === 1 ? 'key' : 'keys'}`
  if (state === 'tombstone') return `Deleted in its cluster${deletedAt ? '' : ' at a time that is not known'}. Its ${keys} can still be revealed and downloaded.`
  const mapped = mappedKeys === 0 ? `${keys}, none mapped to an account` : mappedKeys === keyCount ? `${keys}, ${keyCount === 1 ? 'mapped' : 'all mapped'}` : `${keys}, ${mappedKeys} mapped`
  return `${mapped}.${reason ? ` ${reason}` : ''}`
}
