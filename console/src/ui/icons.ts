import {
  IconAlertOctagon,
  IconAlertTriangle,
  IconArchive,
  IconArrowBackUp,
  IconArrowsDiff,
  IconBan,
  IconCertificateOff,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconClock,
  IconClockPause,
  IconCloudOff,
  IconGitMerge,
  IconHandStop,
  IconHelpHexagon,
  IconHistory,
  IconHourglass,
  IconKey,
  IconKeyOff,
  IconLoader2,
  IconLock,
  IconPlugConnected,
  IconPlugConnectedX,
  IconPoint,
  IconShieldCheck,
  IconShieldX,
  IconTestPipe,
  IconUserCheck,
  IconUserX,
  type TablerIcon,
} from '@tabler/icons-react'
import { states } from '../api/states'

type IconName = {
  [O in keyof typeof states]: (typeof states)[O][keyof (typeof states)[O]] extends infer S
    ? S extends { icon: infer I }
      ? I
      : never
    : never
}[keyof typeof states]

/** The icons of the state words. A word with an icon that is not here does not compile. */
export const stateIcons: Record<IconName, TablerIcon> = {
  'alert-octagon': IconAlertOctagon,
  'alert-triangle': IconAlertTriangle,
  archive: IconArchive,
  'arrow-back-up': IconArrowBackUp,
  'arrows-diff': IconArrowsDiff,
  ban: IconBan,
  'certificate-off': IconCertificateOff,
  'circle-check': IconCircleCheck,
  'circle-dashed': IconCircleDashed,
  'circle-minus': IconCircleMinus,
  'circle-x': IconCircleX,
  clock: IconClock,
  'clock-pause': IconClockPause,
  'cloud-off': IconCloudOff,
  'git-merge': IconGitMerge,
  'hand-stop': IconHandStop,
  'help-hexagon': IconHelpHexagon,
  history: IconHistory,
  hourglass: IconHourglass,
  key: IconKey,
  'key-off': IconKeyOff,
  'loader-2': IconLoader2,
  lock: IconLock,
  'plug-connected': IconPlugConnected,
  'plug-connected-x': IconPlugConnectedX,
  point: IconPoint,
  'shield-check': IconShieldCheck,
  'shield-x': IconShieldX,
  'test-pipe': IconTestPipe,
  'user-check': IconUserCheck,
  'user-x': IconUserX,
}

/** Size and stroke of every icon beside text. */
export const iconProps = { size: 16, stroke: 1.75, 'aria-hidden': true } as const
