import { Checkbox, Group, NumberInput, TextInput } from '@mantine/core'
import type { Problem } from '../../api/problem'
import { fieldError } from '../resources/fields'
import { type Alphabet, alphabets, type Recipe } from './policy'

const words: Record<Alphabet, string> = { lower: 'a–z', upper: 'A–Z', digits: '0–9', symbols: 'symbols' }

export interface GenerateProps {
  recipe: Recipe
  onChange: (recipe: Recipe) => void
  /** What the type of system takes, in characters. */
  least: number
  most: number
  problem: Problem | undefined
}

/** How the new value is generated. */
export function Generate({ recipe, onChange, least, most, problem }: GenerateProps) {
  const set = (part: Partial<Recipe>) => onChange({ ...recipe, ...part })
  return (
    <>
      <NumberInput
        label="Length"
        description={`Characters, from ${least} to ${most}.`}
        value={recipe.length}
        min={least}
        max={most}
        allowDecimal={false}
        allowNegative={false}
        onChange={(next) => set({ length: Number(next) || 0 })}
        error={fieldError(problem, 'length')}
        maw={240}
      />
      <Checkbox.Group label="Made of" value={[...recipe.from]} onChange={(next) => next.length > 0 && set({ from: alphabets.filter((one) => next.includes(one)) })} error={fieldError(problem, 'alphabets')}>
        <Group gap="lg" mt="xs">{alphabets.map((one) => <Checkbox key={one} value={one} label={words[one]} />)}</Group>
      </Checkbox.Group>
      <Checkbox.Group label="Must appear at least once" value={[...recipe.must]} onChange={(next) => set({ must: alphabets.filter((one) => next.includes(one)) })} error={fieldError(problem, 'require')}>
        <Group gap="lg" mt="xs">{alphabets.map((one) => <Checkbox key={one} value={one} label={words[one]} disabled={!recipe.from.includes(one)} />)}</Group>
      </Checkbox.Group>
      <Checkbox
        label="Leave out what shells, URLs and configuration files trip over"
        checked={recipe.exclude === undefined}
        onChange={(event) => set({ exclude: event.currentTarget.checked ? undefined : '' })}
      />
      {recipe.exclude !== undefined && (
        <TextInput
          label="Leave out these characters"
          value={recipe.exclude}
          onChange={(event) => set({ exclude: event.currentTarget.value })}
          maxLength={128}
          autoComplete="off"
          spellCheck={false}
          error={fieldError(problem, 'exclude')}
        />
      )}
    </>
  )
}
