import { Radio, Stack } from '@mantine/core'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { capital } from '../../ui/format'
import { useToast } from '../../ui/say'
import { EditDialog } from '../settings/EditDialog'
import type { Account } from './account'
import classes from './account.module.css'
import { strategiesFor, type Strategy, strategyLabel } from './strategy'
import { useChange } from './useChange'

const valuesOf = ({ strategy = '' }: Account): Record<'strategy', string> => ({ strategy })

/** Changes how an account's values follow each other. Only what its type can is offered. */
export function EditStrategy({ account, type, opened, onClose }: { account: Account; type: Schemas['Type'] | undefined; opened: boolean; onClose: () => void }) {
  const api = useApi()
  const change = useChange(account)
  const say = useToast()
  // What is stored is offered also while it is not known what the type can.
  const choices = strategiesFor(type?.name ?? account.resourceType, type?.overlap ?? account.strategy === 'overlap', account.strategy === 'alternating')
  return (
    <EditDialog
      opened={opened}
      onClose={onClose}
      title={`Strategy of ${account.name}`}
      action="Save the strategy"
      object={account}
      fields={[{
        key: 'strategy',
        label: 'How its values follow each other',
        words: strategyLabel,
        draw: (word) => (
          <Radio.Group name="strategy" label="How its values follow each other" description="From the next reset on." defaultValue={word}>
            <Stack gap="sm" mt="xs">
              {choices.map(({ value, label, means }) => <Radio key={value} value={value} classNames={{ radio: classes.radio }} label={capital(label)} description={means} />)}
            </Stack>
          </Radio.Group>
        ),
      }]}
      valuesOf={valuesOf}
      read={async () => bodyOf(await api.GET('/api/v1/accounts/{account}', { params: { path: { account: account.id } } }))}
      save={async ({ rev }, { strategy = '' }) => {
        await change({ strategy: strategy as Strategy | '' }, rev)
        say(`${account.name}: ${strategyLabel(strategy)}.`)
      }}
    />
  )
}
