import type { ReactNode } from 'react'
import { states, type StateOf } from '../api/states'
import { count } from './format'
import { iconProps, stateIcons } from './icons'
import classes from './Steps.module.css'
import { Time } from './Time'

type StepState = StateOf<'step'>

/** A try that was followed by another; it is kept, folded, with its whole error. */
export interface EarlierTry {
  at: string | number
  state: StepState
  detail: ReactNode
}

export interface Step {
  id: string
  title: ReactNode
  state: StepState
  /** The server's time of the last change. */
  at?: string | number
  /** How far it is; only when both are known. */
  progress?: { done: number; total: number }
  /** What it waits for, as a sentence. */
  waitsFor?: string
  /** What is known, in one line beside the title: "v13", "12 ms". */
  note?: ReactNode
  /** What belongs to it, below. */
  detail?: ReactNode
  earlier?: readonly EarlierTry[]
}

function Mark({ state }: { state: StepState }) {
  const info = states.step[state]
  const Icon = stateIcons[info.icon]
  return (
    <span className={classes.mark} data-tone={info.tone} data-turning={state === 'running' || undefined} title={info.meaning}>
      <Icon {...iconProps} size={18} />
    </span>
  )
}

/** Steps from top to bottom as the server stored them: of a run, or the three checks of a cluster. */
export function Steps({ label, steps }: { label: string; steps: readonly Step[] }) {
  return (
    <ol className={classes.steps} aria-label={label}>
      {steps.map((step) => (
        <li key={step.id} className={classes.step} data-state={step.state} aria-current={step.state === 'running' ? 'step' : undefined}>
          <Mark state={step.state} />
          <div>
            <div className={classes.line}>
              <span className={classes.title}>{step.title}</span>
              <span className={classes.word} data-tone={states.step[step.state].tone}>{states.step[step.state].word}</span>
              {step.progress && <span className={classes.note}>{count(step.progress.done)} of {count(step.progress.total)}</span>}
              {step.note !== undefined && <span className={classes.note}>{step.note}</span>}
              {step.at !== undefined && <span className={classes.at}><Time at={step.at} as="exact" /></span>}
            </div>
            {step.waitsFor && <p className={classes.waits}>{step.waitsFor}</p>}
            {step.detail !== undefined && <div className={classes.detail}>{step.detail}</div>}
            {step.earlier && step.earlier.length > 0 && (
              <details className={classes.earlier}>
                <summary>{step.earlier.length === 1 ? '1 earlier try' : `${count(step.earlier.length)} earlier tries`}</summary>
                <ol>
                  {step.earlier.map((one, i) => (
                    <li key={i}>
                      <Time at={one.at} as="exact" /> {states.step[one.state].word}
                      <div className={classes.detail}>{one.detail}</div>
                    </li>
                  ))}
                </ol>
              </details>
            )}
          </div>
        </li>
      ))}
    </ol>
  )
}
