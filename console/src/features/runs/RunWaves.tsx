import { State } from '../../ui/State'
import { type Run, waveWaits } from './run'
import classes from './Run.module.css'
import { RunWrites } from './RunWrites'
import { wavesOf } from './waves'

/** The mapped keys of a run by the wave in which their clusters get the new value; without waves, by cluster alone. */
export function RunWaves({ run }: { run: Run }) {
  const waves = wavesOf(run)
  if (waves.length === 0) return <RunWrites writes={run.writes ?? []} />
  const waits = waveWaits(run)
  return (
    <ol className={classes.waves} aria-label="Waves of clusters">
      {waves.map((wave) => (
        <li key={wave.number} aria-current={wave.number === run.wave ? 'step' : undefined}>
          <div className={classes.wave}>
            <h3>Wave {wave.number} of {wave.of}: <bdi>{wave.clusters.join(', ') || 'no cluster is left'}</bdi></h3>
            <State object="step" state={wave.state} />
            <span className={classes.groupCount}>{wave.text}</span>
          </div>
          {waits && wave.number === run.wave && <p className={classes.quiet}>{run.state === 'waiting' ? 'It begins when its pause is over, or when somebody resumes the run.' : 'It begins when somebody resumes the run.'} Until then its clusters keep the value that they have.</p>}
          {wave.writes.length > 0 && <RunWrites writes={wave.writes} />}
        </li>
      ))}
    </ol>
  )
}
