import { Checkbox, type MantineColorScheme, Radio, Stack, useMantineColorScheme } from '@mantine/core'
import type { Zone } from '../../ui/format'
import { usePreferences } from '../../ui/preferences'
import { Time } from '../../ui/Time'
import classes from './Settings.module.css'

/** How the console looks in this browser. */
export function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { preferences, change } = usePreferences()
  return (
    <div className={classes.panels}>
      <section className={classes.panel} aria-label="Appearance">
        <p>Kept in this browser, for whoever uses it.</p>
        <Stack gap="lg">
          <Radio.Group label="Theme" value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
            <Stack gap="sm" mt="xs">
              <Radio value="light" label="Light" />
              <Radio value="dark" label="Dark" />
              <Radio value="auto" label="As the system" />
            </Stack>
          </Radio.Group>
          <Radio.Group label="Time zone" value={preferences.zone} onChange={(value) => change({ zone: value as Zone })}>
            <Stack gap="sm" mt="xs">
              <Radio value="browser" label={`This browser's zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`} />
              <Radio value="utc" label="UTC" />
            </Stack>
          </Radio.Group>
          <div>Times look like this: <Time at={Date.now()} as="exact" /></div>
          <Checkbox label="Compact rows" description="28 px instead of 36 px." checked={preferences.compact} onChange={(event) => change({ compact: event.currentTarget.checked })} />
          <Checkbox label="Single-letter keys" description="j, k, x, / and ? act in lists. They never change or reveal anything." checked={preferences.characterKeys} onChange={(event) => change({ characterKeys: event.currentTarget.checked })} />
        </Stack>
      </section>
    </div>
  )
}
