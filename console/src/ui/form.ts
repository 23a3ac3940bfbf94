import { type FormEvent, useState } from 'react'
import { asProblem, type Problem } from '../api/problem'

/** Sends a form's fields; a typed password goes from the field to the request and into no state. */
export function useForm(submit: (fields: (name: string) => string) => Promise<void>) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const text = (name: string) => {
      const value = data.get(name)
      return typeof value === 'string' ? value : ''
    }
    setBusy(true)
    setProblem(undefined)
    submit(text).catch((error: unknown) => setProblem(asProblem(error))).finally(() => setBusy(false))
  }
  return { busy, problem, onSubmit }
}
