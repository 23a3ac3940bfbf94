import { fireEvent, screen } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { Problem } from '../api/problem'
import { draw, expectAccessible } from '../test/render'
import { problemText, ProblemView } from './ProblemView'

const problem = new Problem({
  type: 'unreachable', title: 'prod-us does not answer', status: 503,
  cause: 'No answer from 10.2.0.4:443.', cure: 'Bring it back, then Resume.', unchanged: 'Nothing was written.',
})

test('says the four parts and stays until dismissed', async () => {
  const dismiss = vi.fn()
  draw(<ProblemView problem={problem} onDismiss={dismiss} />)
  for (const part of ['prod-us does not answer', 'No answer from', 'Bring it back', 'Nothing was written']) {
    expect(screen.getByRole('alert').textContent).toContain(part)
    expect(problemText(problem)).toContain(part)
  }
  fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
  expect(dismiss).toHaveBeenCalledTimes(1)
  await expectAccessible()
})
