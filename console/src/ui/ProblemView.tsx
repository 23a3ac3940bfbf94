import { Button, Group } from '@mantine/core'
import type { Problem } from '../api/problem'
import { useClipboard } from './clipboard'
import { duration, sentence } from './format'
import classes from './ProblemView.module.css'

/** The text that "Copy" gives: the four parts and the type. */
export function problemText({ fields: f }: Problem): string {
  return [
    `What happened: ${f.title}${f.detail ? `. ${f.detail}` : ''}`,
    f.cause && `Why: ${f.cause}`,
    f.cure && `What to do now: ${f.cure}`,
    f.unchanged && `Not changed: ${f.unchanged}`,
    `Type: ${f.type} (${f.status})`,
  ].filter(Boolean).join('\n')
}

/** What happened, why, what to do now, what was not changed. It stays until dismissed. */
export function ProblemView({ problem, onDismiss, onRetry }: { problem: Problem; onDismiss?: () => void; onRetry?: () => void }) {
  const clipboard = useClipboard()
  const { title, detail, cause, cure, unchanged, retryAfter } = problem.fields
  return (
    <div role="alert" className={classes.problem}>
      <strong>{title}</strong>
      {detail && <p>{sentence(detail)}</p>}
      {cause && <p><b>Why:</b> {sentence(cause)}</p>}
      {cure && <p><b>What to do now:</b> {sentence(cure)}</p>}
      {unchanged && <p><b>Not changed:</b> {sentence(unchanged)}</p>}
      {retryAfter !== undefined && !/try again in/i.test(cure ?? '') && <p>Try again in {duration(retryAfter * 1000)}.</p>}
      <Group gap="sm" mt="sm">
        {onRetry && <Button size="compact-sm" variant="default" onClick={onRetry}>Retry</Button>}
        {'clipboard' in navigator && (
          <Button size="compact-sm" variant="default" onClick={() => void clipboard.copyText(problemText(problem)).catch(() => {})}>
            Copy error
          </Button>
        )}
        {onDismiss && <Button size="compact-sm" variant="default" onClick={onDismiss}>Dismiss</Button>}
      </Group>
    </div>
  )
}
