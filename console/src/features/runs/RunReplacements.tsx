import { Button } from '@mantine/core'
import { useState } from 'react'
import type { Schemas } from '../../app/api'
import { count, sentence } from '../../ui/format'
import { State } from '../../ui/State'
import { type StateOf, states } from '../../api/states'
import type { Run } from './run'
import classes from './Run.module.css'

type Replacement = Schemas['RunReplacement']

// Up to this many rows are drawn without being asked for.
const drawnRows = 100

/** The Secrets that the run puts others in the place of, what waits for somebody first; nothing where it replaces none. */
export function RunReplacements({ run }: { run: Run }) {
  const [all, setAll] = useState(false)
  const replaced = [...(run.replacements ?? [])].sort((a, b) => Number(b.state === 'failed') - Number(a.state === 'failed'))
  if (replaced.length === 0) return null
  const shown = all ? replaced : replaced.slice(0, drawnRows)
  return (
    <section className={`${classes.panel} ${classes.consumers}`} aria-labelledby="run-replacements">
      <h2 id="run-replacements">Replaced Secrets</h2>
      <div className={classes.groups}>
        <p className={classes.quiet}>{replacedText(replaced)}</p>
        <ul className={`${classes.writes} ${classes.group}`} aria-label="Replaced Secrets">
          {shown.map((one) => <Row key={`${one.clusterId}/${one.namespace}/${one.secret}`} replaced={one} />)}
        </ul>
        {shown.length < replaced.length && <div><Button size="compact-sm" variant="default" onClick={() => setAll(true)}>Show all {count(replaced.length)}</Button></div>}
      </div>
    </section>
  )
}

function Row({ replaced }: { replaced: Replacement }) {
  const { cluster, namespace, secret, instead, state, old, held } = replaced
  return (
    <li className={classes.workload}>
      <span className={classes.key}><bdi>{cluster}/{namespace}/{secret}</bdi> <span className={classes.of}>by</span> <bdi>{instead}</bdi></span>
      <span>{state in states.step ? <State object="step" state={state as StateOf<'step'>} /> : state}</span>
      <span className={classes.pods}>{switchedText(replaced)}</span>
      <span className={classes.seen} />
      <div className={classes.reason}>
        {held && <p><b>Held back:</b> {sentence(held)}</p>}
        <p><b>The old one:</b> {sentence(old)}</p>
      </div>
    </li>
  )
}

/** How many of the workloads that read the account's keys beside the Secret are on what the run wrote. */
export function switchedText({ consumers, switched }: Pick<Replacement, 'consumers' | 'switched'>): string {
  return consumers === 0 ? 'no consumers' : `${count(switched)} of ${count(consumers)} switched`
}

/** All of them in a sentence; that the old ones are gone is said only when it is so of each. */
export function replacedText(all: readonly Pick<Replacement, 'state' | 'held'>[]): string {
  const of = (state: Replacement['state']) => all.filter((one) => one.state === state).length
  const secrets = all.length === 1 ? '1 Secret' : `${count(all.length)} Secrets`
  const [done, kept, failed] = [of('done'), of('skipped'), of('failed')]
  if (done === all.length) return `${secrets}: another has taken the place of each, and the old one is deleted.`
  if (kept === all.length) return `${secrets}: the old one was kept, since the run ended before.`
  const held = all.filter((one) => one.held !== undefined).length - failed
  return [`${secrets}: ${count(done)} of ${count(all.length)} done`, failed > 0 && `${count(failed)} failed`, held > 0 && `${count(held)} held back`, kept > 0 && `${count(kept)} kept`].filter(Boolean).join(', ') + '.'
}
