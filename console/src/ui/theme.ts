import { createTheme, type CSSVariablesResolver } from '@mantine/core'
import { dangerFilled, dark, darkSteps, light, type Palette, primarySteps, shadow, white } from './tokens'

const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'
const mono = 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace'

export const theme = createTheme({
  primaryColor: 'keyturn',
  primaryShade: { light: 7, dark: 6 },
  colors: { keyturn: primarySteps, dark: darkSteps },
  white,
  black: light.text,
  // Mantine ignores the system's wish for less motion unless told.
  respectReducedMotion: true,
  fontFamily: sans,
  fontFamilyMonospace: mono,
  fontSizes: { xs: '12px', sm: '14px', md: '16px', lg: '20px', xl: '24px' },
  lineHeights: { xs: '16px', sm: '20px', md: '24px', lg: '28px', xl: '32px' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '2px', sm: '4px', md: '4px', lg: '4px', xl: '4px' },
  defaultRadius: 'sm',
  breakpoints: { xs: '24em', sm: '48em', md: '68.75em', lg: '80em', xl: '120em' },
  shadows: { xs: 'none', sm: 'none', md: 'var(--kt-shadow)', lg: 'var(--kt-shadow)', xl: 'var(--kt-shadow)' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '20px', lineHeight: '28px' },
      h2: { fontSize: '16px', lineHeight: '24px' },
      h3: { fontSize: '14px', lineHeight: '20px' },
    },
  },
  components: {
    Button: {
      defaultProps: { size: 'sm' },
      vars: (_theme: unknown, props: { size?: unknown }) => ({ root: props.size === 'sm' ? { '--button-height': '32px' } : {} }),
    },
    Modal: { styles: { title: { fontWeight: 600 } }, defaultProps: { transitionProps: { duration: 120, transition: 'fade' } } },
    Drawer: { defaultProps: { transitionProps: { duration: 160 } } },
    Menu: { defaultProps: { shadow: 'md', transitionProps: { duration: 120, transition: 'fade' } } },
    Tooltip: { defaultProps: { events: { hover: true, focus: true, touch: true } } },
  },
})

function scheme(p: Palette, danger: string): Record<string, string> {
  const out: Record<string, string> = {
    '--kt-page': p.page,
    '--kt-surface': p.surface,
    '--kt-hover': p.hover,
    '--kt-selected': p.selected,
    '--kt-text': p.text,
    '--kt-text-2': p.text2,
    '--kt-muted': p.muted,
    '--kt-control': p.control,
    '--kt-line': p.line,
    '--kt-link': p.link,
    '--kt-focus': p.focus,
    '--kt-primary': p.primary,
    '--kt-danger-filled': danger,
    '--mantine-color-body': p.surface,
    '--mantine-color-text': p.text,
    '--mantine-color-dimmed': p.muted,
    '--mantine-color-placeholder': p.muted,
    '--mantine-color-anchor': p.link,
    '--mantine-color-bright': p.text,
    '--mantine-color-error': p.tones.danger.text,
    '--mantine-color-default': p.surface,
    '--mantine-color-default-hover': p.hover,
    '--mantine-color-default-color': p.text,
    '--mantine-color-default-border': p.control,
    '--mantine-color-disabled': p.hover,
    '--mantine-color-disabled-color': p.muted,
    '--mantine-color-disabled-border': p.line,
    '--mantine-primary-color-filled': p.primary,
    '--mantine-primary-color-contrast': white,
    '--mantine-color-keyturn-text': p.link,
    '--mantine-color-keyturn-light': p.selected,
    '--mantine-color-keyturn-light-hover': p.selected,
    '--mantine-color-keyturn-light-color': p.link,
    '--mantine-color-keyturn-outline': p.link,
  }
  for (const [tone, colours] of Object.entries(p.tones)) {
    out[`--kt-${tone}`] = colours.text
    out[`--kt-${tone}-tint`] = colours.tint
  }
  p.series.forEach((colour, i) => (out[`--kt-series-${i + 1}`] = colour))
  return out
}

/** Puts the tokens where both Mantine's parts and ours read them. */
export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: { '--kt-rail': '232px', '--kt-rail-narrow': '56px', '--kt-row': '36px' },
  light: { ...scheme(light, dangerFilled.light), '--kt-shadow': shadow.light },
  dark: { ...scheme(dark, dangerFilled.dark), '--kt-shadow': shadow.dark },
})
