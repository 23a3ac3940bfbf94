import type { Tone } from '../api/states'

// The only file with raw colours. Each pair has a computed contrast: text on
// any of its backgrounds at least 4.5:1, controls and focus at least 3:1.

export interface Palette {
  page: string
  surface: string
  hover: string
  selected: string
  text: string
  text2: string
  muted: string
  control: string
  line: string
  link: string
  focus: string
  primary: string
  tones: Record<Tone, { text: string; tint: string }>
  series: readonly string[]
}

export const light: Palette = {
  page: '#F6F7F9',
  surface: '#FFFFFF',
  hover: '#F0F3F8',
  selected: '#E4EDFD',
  text: '#1A2230',
  text2: '#465164',
  muted: '#5B6678',
  control: '#7C8798',
  line: '#DCE1E8',
  link: '#2257C9',
  focus: '#1B4FC4',
  primary: '#2257C9',
  tones: {
    ok: { text: '#04755A', tint: '#E1F4EC' },
    progress: { text: '#0B57C9', tint: '#E6EFFD' },
    warn: { text: '#7D4A06', tint: '#FFF1D1' },
    danger: { text: '#A11D2B', tint: '#FCE8E8' },
    unverified: { text: '#8E1B97', tint: '#F8E8FA' },
    neutral: { text: '#465164', tint: '#EDF0F4' },
  },
  series: ['#2257C9', '#B4540A', '#17703A', '#8A3FA0', '#5B6678', '#0B7285'],
}

export const dark: Palette = {
  page: '#0E131A',
  surface: '#151C26',
  hover: '#1B2431',
  selected: '#1A2C4D',
  text: '#E7ECF3',
  text2: '#B6C1D0',
  muted: '#94A2B6',
  control: '#6F7E94',
  line: '#2A3544',
  link: '#7FAAFF',
  focus: '#9CC0FF',
  primary: '#3467DF',
  tones: {
    ok: { text: '#58E0AE', tint: '#0C2A20' },
    progress: { text: '#7AA6FF', tint: '#132442' },
    warn: { text: '#E3AA4B', tint: '#2D2307' },
    danger: { text: '#F77C7C', tint: '#3A1517' },
    unverified: { text: '#DDA3F5', tint: '#2E1836' },
    neutral: { text: '#B6C1D0', tint: '#222C39' },
  },
  series: ['#82B1FF', '#F0A35E', '#56C47C', '#D79BF0', '#94A2B6', '#4FC3D6'],
}

/** Ten steps; the light theme's buttons take step 7, the dark theme's step 6. */
export const primarySteps = [
  '#EEF3FD',
  '#DCE7FB',
  '#B9CEF6',
  '#94B4F1',
  '#7099EB',
  '#4F80E6',
  '#3467DF',
  '#2257C9',
  '#1B47A6',
  '#153784',
] as const

/** The ten greys that Mantine's own parts take in the dark theme: text, control, line, hover, surface, page. */
export const darkSteps = [
  '#E7ECF3',
  '#B6C1D0',
  '#94A2B6',
  '#6F7E94',
  '#2A3544',
  '#1B2431',
  '#151C26',
  '#151C26',
  '#0E131A',
  '#0A0E13',
] as const

export const white = '#FFFFFF'

/** Red for filled buttons; white on it is at least 4.5:1 in both themes. */
export const dangerFilled = { light: '#A11D2B', dark: '#B93440' }

/** The one shadow, of drawers and menus. */
export const shadow = { light: '0 4px 16px rgb(26 34 48 / 16%)', dark: '0 4px 20px rgb(0 0 0 / 60%)' }
