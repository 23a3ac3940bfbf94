import { Button } from '@mantine/core'
import { useRef, useState } from 'react'
import { asProblem, type Problem } from '../../api/problem'
import { Confirm } from '../../ui/Confirm'
import { count } from '../../ui/format'
import { Offer, type Permission } from '../../ui/Offer'
import { type Conflict, mayKeep, meaning, nothingLost, pathName, type Side } from './conflict'
import classes from './conflicts.module.css'
import { useResolve } from './useResolve'

export interface KeepManyProps {
  /** What was chosen, each as it was when it was chosen: if it is another by now the server refuses. */
  chosen: readonly Conflict[]
  /** How many match the filter. */
  total: number
  /** Chooses all that match. */
  onAll: () => Promise<void>
  /** Called with those that are still chosen. */
  onChoose: (left: readonly Conflict[]) => void
}

interface Outcome {
  side: Side
  kept: number
  failed: readonly { conflict: Conflict; problem: Problem }[]
}

const atOnce = 4
const named = 5
const secrets = (n: number) => `${count(n)} ${n === 1 ? 'Secret' : 'Secrets'}`

/** What follows when a side is kept of many, one line each. */
export function manyLines(side: Side, chosen: readonly Conflict[]): string[] {
  const not = chosen.filter((x) => !mayKeep(x, side).allowed)
  const n = chosen.length - not.length
  return [
    `Of ${secrets(n)} the ${side}’s values are kept. ${meaning[side]}`,
    nothingLost,
    ...not.slice(0, named).map((x) => `Not ${pathName(x)}: ${mayKeep(x, side).reason ?? 'you may not.'}`),
    ...(not.length > named ? [`And ${count(not.length - named)} more that cannot.`] : []),
  ]
}

/** What is done with the chosen conflicts, and what came of it. */
export function KeepMany({ chosen, total, onAll, onChoose }: KeepManyProps) {
  const resolve = useResolve()
  const [asked, setAsked] = useState<Side>()
  const [open, setOpen] = useState(false)
  const [done, setDone] = useState<number>()
  const [outcome, setOutcome] = useState<Outcome>()
  const [reading, setReading] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const result = useRef<HTMLParagraphElement>(null)
  const may = (side: Side): Permission => {
    if (chosen.some((x) => mayKeep(x, side).allowed)) return { allowed: true }
    return { allowed: false, reason: chosen[0] && mayKeep(chosen[0], side).reason }
  }
  const keep = async (side: Side) => {
    const [able, unable] = [chosen.filter((x) => mayKeep(x, side).allowed), chosen.filter((x) => !mayKeep(x, side).allowed)]
    const failed: { conflict: Conflict; problem: Problem }[] = []
    const left = [...able]
    setDone(0)
    const work = async () => {
      for (let x = left.shift(); x !== undefined; x = left.shift()) {
        await resolve(x, side).catch((error: unknown) => failed.push({ conflict: x as Conflict, problem: asProblem(error) }))
        setDone((n = 0) => n + 1)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    setDone(undefined)
    setOutcome({ side, kept: able.length - failed.length, failed })
    // Those that failed were chosen as they no longer are: they are looked at and chosen anew.
    onChoose(unable)
    setTimeout(() => result.current?.focus())
  }
  const all = async () => {
    setReading(true)
    setProblem(undefined)
    await onAll().catch((error: unknown) => setProblem(asProblem(error))).finally(() => setReading(false))
  }
  const ask = (side: Side) => {
    setAsked(side)
    setOpen(true)
  }
  return (
    <>
      {chosen.length > 0 && (
        <div role="group" aria-label="With the chosen" className={classes.many}>
          <b>{count(chosen.length)} chosen</b>
          <Offer may={may('cluster')} onClick={() => ask('cluster')}>Keep cluster…</Offer>
          <Offer may={may('vault')} onClick={() => ask('vault')}>Keep vault…</Offer>
          {chosen.length < total && <Button variant="subtle" loading={reading} onClick={() => void all()}>Choose all {count(total)} that match</Button>}
          <Button variant="subtle" onClick={() => onChoose([])}>Clear</Button>
          {done !== undefined && <span role="status">{count(done)} of {count(chosen.length)} sent</span>}
        </div>
      )}
      {problem && <p className={classes.failed}>{problem.fields.title}</p>}
      {outcome && (
        <div className={classes.outcome}>
          <p ref={result} tabIndex={-1} role="status" className={classes.said}>
            {outcome.kept > 0 && (outcome.side === 'cluster' ? `${secrets(outcome.kept)}: what the cluster has counts.` : `${secrets(outcome.kept)}: the vault’s values are written now.`)}
            {outcome.failed.length > 0 && ` ${secrets(outcome.failed.length)} could not be decided; nothing was changed there.`}
          </p>
          {outcome.failed.length > 0 && (
            <ul className={classes.failed}>
              {outcome.failed.slice(0, 20).map(({ conflict, problem: why }) => <li key={conflict.id}><bdi>{pathName(conflict)}</bdi>: {why.fields.cause ?? why.fields.title}{why.fields.cure && <> <b>What to do now:</b> {why.fields.cure}</>}</li>)}
            </ul>
          )}
        </div>
      )}
      {asked && (
        <Confirm
          opened={open}
          onClose={() => setOpen(false)}
          level={2}
          verb={asked === 'cluster' ? 'Keep cluster' : 'Keep vault'}
          object={`of ${secrets(chosen.filter((x) => mayKeep(x, asked).allowed).length)}`}
          consequences={manyLines(asked, chosen)}
          onConfirm={() => keep(asked)}
        />
      )}
    </>
  )
}
