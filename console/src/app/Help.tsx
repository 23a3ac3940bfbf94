import { Kbd, Modal, Table } from '@mantine/core'

const shortcuts: readonly [string, string][] = [
  ['Ctrl K', 'search, or jump to a page or an object'],
  ['?', 'this list'],
  ['/', 'filter the list'],
  ['g, then a letter', 'o overview, c clusters, s Secrets, r resources, u runs, d schedule, p policies, i conflicts, a audit'],
  ['j, k or arrows', 'next, previous row'],
  ['x', 'select the row'],
  ['Enter', 'open the row'],
  ['Home, End', 'first, last row'],
  ['Esc', 'close what was opened'],
]

/** The keys that work on every page. None of them changes or reveals anything. */
export function Help({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Table>
        <Table.Tbody>
          {shortcuts.map(([key, what]) => (
            <Table.Tr key={key}>
              <Table.Th scope="row" w={160}><Kbd>{key}</Kbd></Table.Th>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
}
