import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { ProblemView } from '../../ui/ProblemView'
import { Waiting } from '../resources/Waiting'
import { type Draft, passwordOf, rotationOf } from './draft'
import { NextTimes } from './NextTimes'
import { bitsText, changedText, heartbeatText, type Policy, type Rotation, valueText, wavesText, windowsText } from './policy'
import classes from './policies.module.css'

const restMs = 300

export interface Previewed {
  preview: Schemas['PolicyPreview'] | undefined
  /** Why what is asked for cannot be followed. */
  problem: Problem | undefined
  rotation: Rotation
  password: Policy['password']
  onRetry: () => void
}

/** What the server says that rules like these come to. Nothing is stored. */
export function usePreviewOf(rotation: Rotation, password: Policy['password'], enabled = true): Previewed {
  const api = useApi()
  const query = useQuery({
    queryKey: [...keys.lists('policy'), 'preview', { rotation, password }],
    queryFn: async ({ signal }) => bodyOf(await api.POST('/api/v1/policies/preview', { body: { rotation, password }, signal })),
    enabled,
    retry: false,
    placeholderData: keepPreviousData,
  })
  return { preview: query.data, problem: query.error === null ? undefined : asProblem(query.error), rotation, password, onRetry: () => void query.refetch() }
}

/** The same for what is being typed, when it rests. */
export function usePreview(draft: Draft): Previewed {
  const [rested] = useDebouncedValue(draft, restMs)
  return usePreviewOf(rotationOf(rested), passwordOf(rested))
}

/** What the draft comes to, in words and times, beside the form. */
export function Preview({ of: { preview, problem, rotation, password, onRetry } }: { of: Previewed }) {
  const waves = wavesText(rotation)
  return (
    <section className={`${classes.panel} ${classes.beside}`} aria-labelledby="policy-preview">
      <h2 id="policy-preview">What it comes to</h2>
      {problem && <div className={classes.failed}><ProblemView problem={problem} onRetry={problem.status === 422 ? undefined : onRetry} /></div>}
      {preview === undefined && problem === undefined && <Waiting lines={6} />}
      {preview !== undefined && problem === undefined && (
        <>
          <p>{changedText(rotation)}, {windowsText(rotation)}; {heartbeatText(rotation)}.</p>
          <NextTimes next={preview.next ?? []} rotation={rotation} />
          <p>A value is {valueText(password)}: <b>{bitsText(preview.entropyBits)}</b>.</p>
          {waves !== undefined && <p>Clusters: {waves}.</p>}
        </>
      )}
    </section>
  )
}
