import { useRef, useState } from 'react'
import { asProblem, type Problem } from '../../api/problem'
import { Fact, Facts } from '../../ui/Fact'
import { Offer } from '../../ui/Offer'
import { ProblemView } from '../../ui/ProblemView'
import { Time } from '../../ui/Time'
import parts from '../resources/parts.module.css'
import { StateWord } from '../resources/StateCounts'
import { type Conflict, driftWord, mayKeep, meaning, nothingLost, secretName, type Side, standing, vaultHas } from './conflict'
import classes from './conflicts.module.css'
import { useResolve } from './useResolve'

const sides: readonly { side: Side; verb: string }[] = [{ side: 'cluster', verb: 'Keep cluster' }, { side: 'vault', verb: 'Keep vault' }]

/** One conflict: what was done to which keys, by whom, and which side is kept. No value is in it. */
export function OneConflict({ conflict: x }: { conflict: Conflict }) {
  const resolve = useResolve()
  const [busy, setBusy] = useState<Side>()
  const [problem, setProblem] = useState<Problem>()
  const [said, setSaid] = useState('')
  const result = useRef<HTMLParagraphElement>(null)
  const keep = async (side: Side) => {
    setBusy(side)
    setProblem(undefined)
    try {
      const after = await resolve(x, side)
      setSaid(after.state === 'settled' ? 'Decided: what the cluster has counts.' : 'Decided: the vault’s values are written now.')
      result.current?.focus() // the buttons are gone
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      setBusy(undefined)
    }
  }
  return (
    <div className={classes.one}>
      <div className={parts.line}><StateWord object="conflict" state={x.state} /><span><bdi>{x.clusterName}</bdi></span></div>
      <p className={classes.standing}>{standing(x)}</p>
      <p ref={result} tabIndex={-1} role="status" className={classes.said}>{said}</p>
      {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
      {(x.keys ?? []).length > 0 && (
        <table className={parts.table} aria-label={`Keys of ${secretName(x)} that differ`}>
          <thead><tr><th scope="col">Key</th><th scope="col">In the cluster</th><th scope="col">The vault has</th></tr></thead>
          <tbody>
            {x.keys?.map((key) => (
              <tr key={key.name}>
                <td><code><bdi>{key.name}</bdi></code></td>
                <td data-label="In the cluster">{key.change}</td>
                <td data-label="The vault has"><bdi>{vaultHas(key)}</bdi></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Facts>
        <Fact label="Changed"><Time at={x.changedAt} as="exact" /></Fact>
        <Fact label="By">{x.changedBy && <bdi>{x.changedBy}</bdi>}</Fact>
        <Fact label="Differs since"><Time at={x.since} as="exact" /></Fact>
        <Fact label="Drift policy">{driftWord(x.policy)}</Fact>
        {x.heals > 0 && <Fact label="Written again lately">{x.heals === 1 ? 'once' : `${x.heals} times`}</Fact>}
      </Facts>
      {x.state !== 'settled' && (
        <section aria-label="Which side is right?" className={classes.sides}>
          {sides.map(({ side, verb }) => (
            <div key={side} className={classes.side}>
              <Offer may={mayKeep(x, side)} loading={busy === side} disabled={busy !== undefined} onClick={() => void keep(side)} label={`${verb}: ${secretName(x)}`}>{verb}</Offer>
              <p className={parts.note}>{meaning[side]}</p>
              {!mayKeep(x, side).allowed && <p className={classes.why}>{mayKeep(x, side).reason}</p>}
            </div>
          ))}
          <p className={parts.note}>{nothingLost}</p>
        </section>
      )}
    </div>
  )
}
