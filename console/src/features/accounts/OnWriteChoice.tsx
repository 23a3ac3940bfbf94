import { Radio, type RadioGroupProps, Stack } from '@mantine/core'
import { capital } from '../../ui/format'
import classes from './account.module.css'
import { onWrites } from './onWrite'

/** What is done after a reset with the workloads that read a key. Each answer says what it means. */
export function OnWriteChoice(props: Pick<RadioGroupProps, 'name' | 'defaultValue' | 'value' | 'onChange'>) {
  return (
    <Radio.Group label="After a reset" {...props}>
      <Stack gap="sm" mt="xs">
        {onWrites.map(({ value, label, means }) => <Radio key={value} value={value} classNames={{ radio: classes.radio }} label={capital(label)} description={means} />)}
      </Stack>
    </Radio.Group>
  )
}
