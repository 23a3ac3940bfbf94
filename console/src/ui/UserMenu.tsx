import { type MantineColorScheme, Menu, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import { IconChevronDown, IconLogout } from '@tabler/icons-react'
import type { Zone } from './format'
import { iconProps } from './icons'
import { usePreferences } from './preferences'
import classes from './Shell.module.css'

const themes = [
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
  { value: 'auto', label: 'As the system' },
] as const

const zones = [
  { value: 'browser', label: "This browser's zone" },
  { value: 'utc', label: 'UTC' },
] as const

/** Theme, time zone, keys, row height and the way out. */
export function UserMenu({ name, onSignOut }: { name: string; onSignOut: () => void }) {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { preferences, change } = usePreferences()
  return (
    <Menu position="bottom-end" width={232} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <UnstyledButton className={classes.user} aria-label={`${name}: your settings`}>
          <bdi className={classes.userName}>{name}</bdi>
          <IconChevronDown {...iconProps} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Theme</Menu.Label>
        <Menu.RadioGroup value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
          {themes.map(({ value, label }) => <Menu.RadioItem key={value} value={value}>{label}</Menu.RadioItem>)}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Label>Time zone</Menu.Label>
        <Menu.RadioGroup value={preferences.zone} onChange={(value) => change({ zone: value as Zone })}>
          {zones.map(({ value, label }) => <Menu.RadioItem key={value} value={value}>{label}</Menu.RadioItem>)}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.CheckboxItem checked={preferences.characterKeys} onChange={(on) => change({ characterKeys: on })}>Single-letter keys</Menu.CheckboxItem>
        <Menu.CheckboxItem checked={preferences.compact} onChange={(on) => change({ compact: on })}>Compact rows</Menu.CheckboxItem>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout {...iconProps} />} onClick={onSignOut}>Log out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
