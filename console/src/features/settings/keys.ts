import { keys } from '../../api/keys'

/**
 * The lists of this page, by the kinds that events name. Each is one page at
 * the server, so a kind has one list.
 */
export const settingsKeys = {
  users: keys.list('user'),
  grants: keys.list('grant'),
  groups: keys.list('group'),
  tokens: keys.list('token'),
  sessions: (user: string) => keys.list('session', { user }),
  health: keys.one('server', 'health'),
}
