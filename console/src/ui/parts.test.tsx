import { act, fireEvent, screen, waitFor } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { Problem } from '../api/problem'
import { draw, expectAccessible } from '../test/render'
import { drawAt } from '../test/route'
import { Confirm } from './Confirm'
import { CopyText } from './CopyText'
import { Drawer } from './Drawer'
import { Fact, Facts } from './Fact'
import { Steps } from './Steps'
import { Tabs } from './Tabs'
import { useToast } from './say'
import { ToastRegion } from './Toast'

const button = (name: string) => screen.getByRole<HTMLButtonElement>('button', { name })
const ask = { opened: true, verb: 'Remove', object: 'prod-us', consequences: ['311 mappings stay.'] }

test('the button names verb and object; level 2 puts the focus on Cancel', async () => {
  const onConfirm = vi.fn(async () => {})
  const onClose = vi.fn()
  draw(<Confirm {...ask} level={2} onConfirm={onConfirm} onClose={onClose} />)
  await waitFor(() => expect(document.activeElement).toBe(button('Cancel')))
  await expectAccessible()
  await act(async () => void fireEvent.click(button('Remove prod-us')))
  expect(onConfirm).toHaveBeenCalledOnce()
  expect(onClose).toHaveBeenCalledOnce()
})

test('level 3 asks to type the name, exactly', async () => {
  const onConfirm = vi.fn(async () => {})
  draw(<Confirm {...ask} level={3} type="prod-us" onConfirm={onConfirm} onClose={() => {}} />)
  const field = screen.getByLabelText(/to confirm/)
  fireEvent.change(field, { target: { value: 'prod-u' } })
  fireEvent.submit(field)
  expect(button('Remove prod-us').disabled).toBe(true)
  expect(onConfirm).not.toHaveBeenCalled()
  fireEvent.change(field, { target: { value: 'prod-us' } })
  await expectAccessible()
  await act(async () => void fireEvent.click(button('Remove prod-us')))
  expect(onConfirm).toHaveBeenCalledOnce()
})

test('a refused confirmation stays open and says why; while it is sent it cannot be closed', async () => {
  let refuse = (_: Error) => {}
  const onClose = vi.fn()
  const onConfirm = () => new Promise<void>((_, reject) => (refuse = reject))
  draw(<Confirm {...ask} level={1} onConfirm={onConfirm} onClose={onClose} />)
  await act(async () => void fireEvent.click(button('Remove prod-us')))
  await act(async () => void fireEvent.click(button('Close')))
  expect(onClose).not.toHaveBeenCalled()
  await act(async () => refuse(new Problem({ type: 'x', title: 'It is in use', status: 409 })))
  expect(screen.getByRole('alert').textContent).toContain('It is in use')
  await act(async () => void fireEvent.click(button('Cancel')))
  expect(onClose).toHaveBeenCalledOnce()
})

test('a drawer closes with Escape', async () => {
  const onClose = vi.fn()
  draw(<Drawer opened onClose={onClose} title="shop/stripe" actions={<button>Sync</button>}>Facts</Drawer>)
  await expectAccessible()
  fireEvent.keyDown(screen.getByRole('dialog', { name: 'shop/stripe' }), { key: 'Escape' })
  expect(onClose).toHaveBeenCalledOnce()
})

test('steps say their state in words, and earlier tries stay with their error', async () => {
  draw(
    <Steps
      label="Run 7f3a91"
      steps={[
        { id: 'minted', title: 'minted', state: 'done', at: '2026-11-22T13:02:11Z', note: 'v13' },
        {
          id: 'published',
          title: 'published',
          state: 'running',
          progress: { done: 27, total: 1037 },
          waitsFor: 'Waits for prod-us.',
          earlier: [{ at: '2026-11-22T13:03:02Z', state: 'failed', detail: 'no answer from 10.2.0.4:443' }],
        },
        { id: 'retired', title: 'retired', state: 'to_do' },
      ]}
    />,
  )
  const [first, second, third] = screen.getByRole('list', { name: 'Run 7f3a91' }).children
  expect(first?.textContent).toContain('done')
  expect(second?.getAttribute('aria-current')).toBe('step')
  expect(second?.textContent).toContain('27 of 1,037')
  expect(second?.textContent).toContain('Waits for prod-us.')
  expect(second?.querySelector('details')?.open).toBe(false)
  expect(second?.querySelector('details')?.textContent).toContain('no answer from 10.2.0.4:443')
  expect(third?.textContent).toContain('to do')
  await expectAccessible()
})

test('a fact without content is not known', async () => {
  draw(<Facts><Fact label="Type">Opaque</Fact><Fact label="Owner" /></Facts>)
  expect(screen.getAllByRole('definition').map((dd) => dd.textContent)).toEqual(['Opaque', 'not known'])
  await expectAccessible()
})

test('a command is copied without its prompt', async () => {
  const writeText = vi.fn(async (_: string) => {})
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText } })
  draw(<CopyText command label="the command" text="kubectl apply -f keyturn-config.yaml" />)
  await act(async () => void fireEvent.click(button('Copy the command')))
  expect(writeText).toHaveBeenCalledWith('kubectl apply -f keyturn-config.yaml')
  expect(screen.getByRole('status').textContent).toBe('Copied')
  await expectAccessible()
  Reflect.deleteProperty(navigator, 'clipboard')
})

test('tabs are addresses that keep the rest of the URL', async () => {
  const tabs = [{ key: 'versions', label: 'Versions' }, { key: 'mappings', label: 'Mappings', count: 37 }]
  await drawAt('/a?tab=mappings&ns=x', () => <Tabs label="app_rw" tabs={tabs} current="mappings" />)
  const links = screen.getAllByRole('link')
  expect(links.map((a) => a.getAttribute('href'))).toEqual(['/a?ns=x', '/a?ns=x&tab=mappings'])
  expect(links.map((a) => a.getAttribute('aria-current'))).toEqual([null, 'page'])
  await expectAccessible()
})

test('a toast is said politely and goes after five seconds', async () => {
  vi.useFakeTimers()
  function Part() {
    const say = useToast()
    return <button onClick={() => say('Saved')}>Save</button>
  }
  draw(<ToastRegion><Part /></ToastRegion>)
  fireEvent.click(button('Save'))
  expect(screen.getByRole('status').textContent).toBe('Saved')
  act(() => void vi.advanceTimersByTime(5000))
  expect(screen.getByRole('status').textContent).toBe('')
})
