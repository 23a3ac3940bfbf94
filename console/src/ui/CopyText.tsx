import { ActionIcon } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useClipboard } from './clipboard'
import classes from './CopyText.module.css'
import { iconProps } from './icons'

export interface CopyTextProps {
  /** What is shown and copied. Never a value: those have `Value`. */
  text: string
  /** What it is, for the button: "the command". */
  label: string
  /** A line for a shell: `$` stands before it and is not copied. */
  command?: boolean
}

/** A text to take along: a command, an id, a fingerprint. */
export function CopyText({ text, label, command = false }: CopyTextProps) {
  const clipboard = useClipboard()
  const [copied, setCopied] = useState<'no' | 'yes' | 'failed'>('no')
  useEffect(() => {
    if (copied === 'no') return
    const timer = setTimeout(() => setCopied('no'), 3000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = () =>
    void clipboard.copyText(text).then(
      () => setCopied('yes'),
      () => setCopied('failed'),
    )
  const Icon = copied === 'yes' ? IconCheck : IconCopy
  return (
    <div className={classes.copy}>
      <pre className={classes.text} tabIndex={0} aria-label={label} role="region"><code data-command={command || undefined}>{text}</code></pre>
      {'clipboard' in navigator && (
        <ActionIcon variant="subtle" color="gray" size={28} className={classes.button} aria-label={`Copy ${label}`} onClick={copy}>
          <Icon {...iconProps} />
        </ActionIcon>
      )}
      <span role="status" className={classes.spoken}>{copied === 'yes' ? 'Copied' : copied === 'failed' ? 'Copying failed: mark the text instead' : ''}</span>
    </div>
  )
}
