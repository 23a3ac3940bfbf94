import { drawPage as drawAt, session, type TestPage } from '../../test/page'

export { type Answer, type Asked, pageOf as page, refuse } from '../../test/page'

/** Draws a page for somebody who may do everything but the operations that are `refused`. */
export const drawPage = ({ refused = [], ...page }: Omit<TestPage, 'who'> & { refused?: readonly string[] }) => {
  const can = new Proxy({} as ReturnType<typeof session>['can'], { get: (_, op: string) => (refused.includes(op) ? { allowed: false, reason: 'Your role does not allow it.' } : { allowed: true }) })
  return drawAt({ ...page, who: session({ can }) })
}
