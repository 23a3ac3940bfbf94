import { Radio, Stack, TextInput } from '@mantine/core'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { capital } from '../../ui/format'
import { useToast } from '../../ui/say'
import { EditDialog } from '../settings/EditDialog'
import type { Account } from './account'
import classes from './account.module.css'
import { strategiesFor, type Strategy, strategyLabel } from './strategy'
import { useChange } from './useChange'

const valuesOf = ({ strategy = '', pair = '' }: Account): Record<'strategy' | 'pair', string> => ({ strategy, pair })

/** Changes how an account's values follow each other. Only what its type can is offered. */
export function EditStrategy({ account, type, opened, onClose }: { account: Account; type: Schemas['Type'] | undefined; opened: boolean; onClose: () => void }) {
  const api = useApi()
  const change = useChange(account)
  const say = useToast()
  // What is stored is offered also while it is not known what the type can.
  const pairs = type?.alternating ?? account.strategy === 'alternating'
  const choices = strategiesFor(type?.name ?? account.resourceType, type?.overlap ?? account.strategy === 'overlap', pairs, type?.overlapByReconcile)
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
      }, ...(pairs ? [{
        key: 'pair' as const,
        label: 'The other login',
        draw: (name: string) => (
          <TextInput
            name="pair"
            label="The other login"
            description={`For two logins that take turns: what may do the same as ${account.name}. Its value is stored with “keyturn account edit --pair-value-file”, or set by a reconcile account.`}
            defaultValue={name}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
          />
        ),
      }] : [])]}
      valuesOf={valuesOf}
      read={async () => bodyOf(await api.GET('/api/v1/accounts/{account}', { params: { path: { account: account.id } } }))}
      save={async (base, { strategy, pair }) => {
        await change({ ...(strategy !== undefined && { strategy: strategy as Strategy | '' }), ...(pair !== undefined && { pair }) }, base.rev)
        say(`${account.name}: ${strategyLabel(strategy ?? base.strategy ?? '')}.`)
      }}
    />
  )
}
