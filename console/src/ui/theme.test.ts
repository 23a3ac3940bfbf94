import { DEFAULT_THEME, mergeMantineTheme } from '@mantine/core'
import { expect, test } from 'vitest'
import { cssVariablesResolver, theme } from './theme'
import { dangerFilled, dark, light, primarySteps, white } from './tokens'

function luminance(hex: string): number {
  const channel = (at: number) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number]
  return (x + 0.05) / (y + 0.05)
}

const palettes = [
  ['light', light],
  ['dark', dark],
] as const

test.each(palettes)('%s: text reads on every background', (_, p) => {
  for (const background of [p.page, p.surface, p.hover, p.selected]) {
    for (const text of [p.text, p.text2, p.muted, p.link]) {
      expect(contrast(text, background), `${text} on ${background}`).toBeGreaterThanOrEqual(4.5)
    }
    for (const edge of [p.control, p.focus]) {
      expect(contrast(edge, background), `${edge} on ${background}`).toBeGreaterThanOrEqual(3)
    }
    for (const tone of Object.values(p.tones)) {
      expect(contrast(tone.text, background)).toBeGreaterThanOrEqual(4.5)
      expect(contrast(tone.text, tone.tint)).toBeGreaterThanOrEqual(4.5)
    }
  }
  for (const colour of p.series) expect(contrast(colour, p.surface)).toBeGreaterThanOrEqual(4.5)
})

test('white reads on filled buttons in both themes', () => {
  for (const colour of [light.primary, dark.primary, dangerFilled.light, dangerFilled.dark]) {
    expect(contrast(white, colour)).toBeGreaterThanOrEqual(4.5)
  }
  expect(primarySteps[7]).toBe(light.primary)
  expect(primarySteps[6]).toBe(dark.primary)
})

test('both themes set the same tokens', () => {
  const out = cssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme))
  expect(Object.keys(out.light).sort()).toEqual(Object.keys(out.dark).sort())
  expect(out.light['--kt-danger']).toBe(light.tones.danger.text)
})

test('the wish for less motion is respected', () => {
  expect(theme.respectReducedMotion).toBe(true)
})
