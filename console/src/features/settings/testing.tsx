import { configure } from '@testing-library/react'
import type { ComponentType } from 'react'
import { type Asked, drawPage as drawAt, refuse, session } from '../../test/page'

// Whether a part is visible is asked of a real browser, not of jsdom.
configure({ defaultHidden: true })

export { type Asked, pageOf, session } from '../../test/page'

export type Answer = { status?: number; body?: unknown }

/** Draws the page of a route such as "/runs/$run" behind a session; `answer` stands for the server, with a status. */
export const drawPage = (route: string, at: string, page: ComponentType, answer: (asked: Asked) => Answer | undefined, who = session()) =>
  drawAt({
    route, at, page, who,
    answer: (asked) => {
      const found = answer(asked)
      if (found === undefined) return undefined
      const { status = 200, body } = found
      if (status >= 400) return refuse(status, body as object)
      return body === undefined ? new Response(null, { status: 204 }) : Response.json(body, { status })
    },
  })
