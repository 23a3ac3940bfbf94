import { keys } from '../../api/keys'

/**
 * The lists of this page, by the kinds that events name. Each is one page at
 * the server, so a kind has one list.
 */
export const settingsKeys = {
  users: keys.list('user'),
  grants: keys.list('grant'),
  groups: ['group', 'list', []] as const,
  tokens: ['token', 'list', []] as const,
  health: ['server', 'health'] as const,
}
