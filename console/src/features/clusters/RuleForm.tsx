import { Checkbox, Stack, TextInput } from '@mantine/core'
import { useState } from 'react'
import { count } from '../../ui/format'
import { type Remote, type RuleDraft, termsOf } from './choice'
import { wordsOf } from './connector'
import classes from './Fetch.module.css'

interface RuleFormProps {
  rule: RuleDraft
  onChange: (rule: RuleDraft) => void
  types: string[]
  chosen: readonly Remote[]
}

const previewed = 50

/** Globs as they are typed: the preview follows every letter. */
function Globs({ label, placeholder, globs, onChange }: { label: string; placeholder: string; globs: readonly string[]; onChange: (globs: string[]) => void }) {
  const [text, setText] = useState(globs.join(' '))
  return (
    <TextInput
      label={label}
      description="Globs with spaces between; empty is all. * is any characters, ? is one."
      placeholder={placeholder}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        onChange(wordsOf([event.currentTarget.value]))
      }}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
    />
  )
}

/** Chooses Secrets by patterns, with a preview of what they match now. */
export function RuleForm({ rule, onChange, types, chosen }: RuleFormProps) {
  const change = (part: Partial<RuleDraft>) => onChange({ ...rule, ...part })
  return (
    <div className={classes.sides}>
      <Stack gap={12} maw={640}>
        <Globs label="Namespaces" placeholder="shop-* billing" globs={rule.namespaces} onChange={(namespaces) => change({ namespaces })} />
        <Globs label="Names" placeholder="db-* *-credentials" globs={rule.names} onChange={(names) => change({ names })} />
        <TextInput
          label="Labels"
          description="key=value, key!=value or key, with commas between."
          placeholder="team=payments"
          value={rule.labels}
          onChange={(event) => change({ labels: event.currentTarget.value })}
          error={termsOf(rule.labels) === undefined ? 'This cannot be read. Write key=value, key!=value or key.' : undefined}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
        />
        <Checkbox.Group
          label="Types"
          description="None ticked is all but the cluster's own machinery."
          value={[...rule.types]}
          onChange={(next) => change({ types: next })}
        >
          <Stack gap={4} mt={4}>{types.map((type) => <Checkbox key={type} value={type} label={type} />)}</Stack>
        </Checkbox.Group>
      </Stack>
      <section aria-label="What the rule matches now" className={classes.preview}>
        <p><b>{count(chosen.length)}</b> match now</p>
        <ul>{chosen.slice(0, previewed).map((secret) => <li key={`${secret.namespace}/${secret.name}`}><bdi>{secret.namespace}/{secret.name}</bdi></li>)}</ul>
        {chosen.length > previewed && <p>and {count(chosen.length - previewed)} more</p>}
      </section>
    </div>
  )
}
