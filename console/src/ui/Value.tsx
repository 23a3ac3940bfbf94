import { Button, Group } from '@mantine/core'
import { useCallback, useContext, useEffect, useRef, useState } from 'react'
import { asProblem, type Problem } from '../api/problem'
import { clipboardSeconds, useClipboard } from './clipboard'
import { Covered } from './covered'
import { ProblemView } from './ProblemView'
import classes from './Value.module.css'

// The only part that may hold a value. It keeps it in its own state, never in a
// cache, an attribute or a message, and forgets it after thirty seconds, when it
// is hidden, when the page is, and when it leaves the page.

const shownSeconds = 30
const dots = '•'.repeat(12) // always twelve, so that the mask says nothing of the length

export interface ValueProps {
  /** What the value is of, for the buttons' names: "app_rw v12". */
  name: string
  /** Asks for the value; audited as a reveal by the server. Undefined when it may not be asked for. */
  reveal?: (signal: AbortSignal) => Promise<string>
  /** The user is presenting: nothing is shown, copying stays. */
  presenting?: boolean
}

export function Value({ name, reveal, presenting = false }: ValueProps) {
  const [value, setValue] = useState<string>()
  const [left, setLeft] = useState(0)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const [copiedHere, setCopiedHere] = useState(false)
  const clipboard = useClipboard()
  const covered = useContext(Covered)
  const asking = useRef<AbortController>(undefined)

  const hide = useCallback(() => {
    asking.current?.abort()
    setValue(undefined)
    setBusy(false)
  }, [])

  useEffect(() => {
    const onVisibility = () => document.visibilityState === 'hidden' && hide()
    document.addEventListener('visibilitychange', onVisibility)
    window.addEventListener('pagehide', hide)
    return () => {
      document.removeEventListener('visibilitychange', onVisibility)
      window.removeEventListener('pagehide', hide)
      asking.current?.abort()
    }
  }, [hide])

  // Another value, presenting, or the end of the session ends what is shown.
  useEffect(() => hide, [name, presenting, covered, hide])

  useEffect(() => {
    if (value === undefined) return
    const end = Date.now() + shownSeconds * 1000
    const timer = setInterval(() => {
      const seconds = Math.ceil((end - Date.now()) / 1000)
      setLeft(seconds)
      if (seconds <= 0) hide()
    }, 1000)
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && hide()
    document.addEventListener('keydown', onKey)
    return () => {
      clearInterval(timer)
      document.removeEventListener('keydown', onKey)
    }
  }, [value, hide])

  /** Fetches the value and hands it on, unless the part was hidden meanwhile. */
  const fetchTo = async (deliver: (value: string) => void | Promise<void>) => {
    if (!reveal) return
    asking.current?.abort()
    const controller = new AbortController()
    asking.current = controller
    setBusy(true)
    setProblem(undefined)
    try {
      const got = await reveal(controller.signal)
      if (!controller.signal.aborted) await deliver(got)
    } catch (error) {
      if (!controller.signal.aborted) setProblem(asProblem(error))
    } finally {
      if (asking.current === controller) setBusy(false)
    }
  }

  const show = () =>
    fetchTo((got) => {
      setLeft(shownSeconds)
      setValue(got)
    })
  const copy = () =>
    fetchTo(async (got) => {
      await clipboard.copyValue(got).then(
        () => setCopiedHere(true),
        () => setCopiedHere(false), // the guard's bar says so
      )
    })

  const secure = 'clipboard' in navigator
  const shown = value !== undefined
  return (
    <div className={classes.field}>
      <Group gap="sm" wrap="wrap">
        {shown ? (
          <code className={classes.value} translate="no" spellCheck={false}>{value}</code>
        ) : (
          <span className={classes.dots}><span aria-hidden="true">{dots}</span><span className={classes.spoken}>hidden value</span></span>
        )}
        {shown && <span className={classes.left} aria-hidden="true">{left} s</span>}
        {reveal && !presenting && (
          <Button size="compact-sm" variant="default" loading={busy && !shown} onClick={shown ? hide : () => void show()}>
            {shown ? 'Hide' : 'Reveal'}<span className={classes.spoken}> {name}</span>
          </Button>
        )}
        {reveal && (
          <Button size="compact-sm" variant="default" disabled={!secure || busy} onClick={() => void copy()}>
            Copy<span className={classes.spoken}> {name}</span>
          </Button>
        )}
      </Group>
      {reveal && !secure && <p className={classes.note}>Copying needs HTTPS: this page has no clipboard.</p>}
      <div role="status" className={classes.spoken}>{shown ? 'Value shown for 30 seconds' : ''}</div>
      {copiedHere && clipboard.state === 'copied' && (
        <p className={classes.note} role="status">Copied. The clipboard is cleared after {clipboardSeconds} seconds.</p>
      )}
      {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
    </div>
  )
}
