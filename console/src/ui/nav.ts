import {
  IconCalendarTime,
  IconDatabase,
  IconFileSearch,
  IconGitMerge,
  IconKey,
  IconLayoutDashboard,
  IconPlayerPlay,
  IconRuler2,
  IconServer2,
  IconSettings,
  type TablerIcon,
} from '@tabler/icons-react'

export type EntryKey = 'overview' | 'clusters' | 'secrets' | 'resources' | 'runs' | 'schedule' | 'policies' | 'conflicts' | 'audit' | 'settings'

export interface Entry {
  key: EntryKey
  label: string
  to: string
  icon: TablerIcon
}

export interface EntryGroup {
  label?: string
  entries: readonly Entry[]
}

/** The rail from top to bottom. Only pages that exist are listed. */
export const railGroups: readonly EntryGroup[] = [
  { entries: [{ key: 'overview', label: 'Overview', to: '/', icon: IconLayoutDashboard }] },
  {
    label: 'Inventory',
    entries: [
      { key: 'clusters', label: 'Clusters', to: '/clusters', icon: IconServer2 },
      { key: 'secrets', label: 'Secrets', to: '/secrets', icon: IconKey },
      { key: 'resources', label: 'Resources', to: '/resources', icon: IconDatabase },
    ],
  },
  {
    label: 'Rotation',
    entries: [
      { key: 'runs', label: 'Runs', to: '/runs', icon: IconPlayerPlay },
      { key: 'schedule', label: 'Schedule', to: '/schedule', icon: IconCalendarTime },
      { key: 'policies', label: 'Policies', to: '/policies', icon: IconRuler2 },
    ],
  },
  { label: 'Inbox', entries: [{ key: 'conflicts', label: 'Conflicts', to: '/conflicts', icon: IconGitMerge }] },
  { label: 'Insight', entries: [{ key: 'audit', label: 'Audit', to: '/audit', icon: IconFileSearch }] },
]

/** What stands at the foot of the rail. */
export const footEntries: readonly Entry[] = [{ key: 'settings', label: 'Settings', to: '/settings', icon: IconSettings }]

/** The groups with only the entries that the user may open; a group without any is gone. */
export function visibleGroups(groups: readonly EntryGroup[], visible: readonly EntryKey[]): EntryGroup[] {
  return groups
    .map((group) => ({ ...group, entries: group.entries.filter((entry) => visible.includes(entry.key)) }))
    .filter((group) => group.entries.length > 0)
}

/** Whether an entry stands for the page at this path: its own, or one below it. */
export function isCurrent(entry: Entry, path: string): boolean {
  return entry.to === '/' ? path === '/' : path === entry.to || path.startsWith(`${entry.to}/`)
}
