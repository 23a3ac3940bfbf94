import { createContext, useContext } from 'react'
import { createApi, type Hooks } from '../api/client'
import type { components, paths } from '../api/schema'

/** The documents that travel, by the names that the server gives them. */
export type Schemas = components['schemas']

/** The typed client of the server's API. */
export type Api = ReturnType<typeof makeApi>

export const makeApi = (hooks: Hooks) => createApi<paths>(hooks)

export const ApiContext = createContext<Api | undefined>(undefined)

/** The API, in a page behind the session. */
export function useApi(): Api {
  const api = useContext(ApiContext)
  if (!api) throw new Error('a page outside the frame asks for the API')
  return api
}

/** Takes the document out of an answer; the client has thrown for every other kind of answer. */
export function bodyOf<T>(answer: { data?: T }): T {
  return answer.data as T
}

export const SessionContext = createContext<Schemas['Session'] | undefined>(undefined)

/** Who is signed in, and what they may do where no object is concerned. */
export function useWho(): Schemas['Session'] {
  const who = useContext(SessionContext)
  if (!who) throw new Error('a page outside the frame asks who is signed in')
  return who
}

/** Whether the person may do an operation that concerns no object, such as "cluster.create", and if not why. */
export function useMay(operation: string): Schemas['Permission'] {
  return useWho().can[operation] ?? { allowed: false, reason: 'The server knows no such operation.' }
}
