import { Autocomplete, Checkbox, Group, Radio, Select, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { Blackouts } from './Blackouts'
import type { Draft, Key } from './draft'
import { labels } from './draft'
import classes from './policies.module.css'

/** What every part of the form is given: the draft, how to change it, and what the server says of a field. */
export interface FieldsProps {
  draft: Draft
  onChange: (part: Partial<Draft>) => void
  errorOf: (key: Key) => string | undefined
}

/** A text field of the draft. */
export function Field({ of, draft, onChange, errorOf, ...rest }: FieldsProps & { of: Key; description?: string; placeholder?: string; maxLength?: number; required?: boolean }) {
  return (
    <TextInput
      label={labels[of]}
      value={draft[of]}
      onChange={(event) => onChange({ [of]: event.currentTarget.value })}
      error={errorOf(of)}
      withAsterisk={false}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      {...rest}
    />
  )
}

type When = 'never' | 'every' | 'cron'
const whens: readonly { value: When; label: string }[] = [
  { value: 'every', label: 'At an interval' },
  { value: 'cron', label: 'By a cron line' },
  { value: 'never', label: 'Not by the clock' },
]

/** When values are changed, and when they may be. */
export function ScheduleFields(props: FieldsProps) {
  const { draft, onChange, errorOf } = props
  const [when, setWhen] = useState<When>(draft.cron !== '' ? 'cron' : draft.every !== '' ? 'every' : 'never')
  // Somebody else's rule may come in from outside, when both sides are shown.
  const shown: When = draft.cron !== '' ? 'cron' : draft.every !== '' ? 'every' : when
  const choose = (next: When) => {
    setWhen(next)
    onChange({ every: next === 'every' ? draft.every || '30d' : '', cron: next === 'cron' ? draft.cron || '30 3 * * sun' : '' })
  }
  return (
    <>
      <fieldset className={classes.part}>
        <legend>When values are changed</legend>
        <Radio.Group aria-label="When values are changed" value={shown} onChange={(next) => choose(next as When)}>
          <Group gap="lg">{whens.map(({ value, label }) => <Radio key={value} value={value} label={label} classNames={{ radio: classes.radio }} />)}</Group>
        </Radio.Group>
        {shown === 'every' && <Field of="every" description="How long a value is kept, such as 30d, 12h or 1d12h." maxLength={32} {...props} />}
        {shown === 'cron' && <Field of="cron" description="Minute, hour, day of month, month, day of week: 30 3 * * sun." maxLength={128} {...props} />}
        <div className={classes.pair}>
          <Field of="maxAge" description="A value that is older is overdue." placeholder="no limit" maxLength={32} {...props} />
          <Field of="onReveal" description="So long after somebody saw the value." placeholder="not at all" maxLength={32} {...props} />
        </div>
        <Field of="jitter" description="Accounts that are due at once are spread over it, such as 6h." placeholder="none" maxLength={32} {...props} />
      </fieldset>
      <fieldset className={classes.part}>
        <legend>When they may be changed</legend>
        <Autocomplete
          label={labels.zone}
          description="Of the cron line and of the windows."
          placeholder="UTC"
          data={Intl.supportedValuesOf('timeZone')}
          limit={20}
          maxLength={64}
          value={draft.zone}
          onChange={(zone) => onChange({ zone })}
          error={errorOf('zone')}
          autoComplete="off"
          spellCheck={false}
        />
        <Textarea
          label={labels.windows}
          description="One a line, such as Fri 20:00-Sat 04:00; 22:00-04:00 is every day. None: at any time."
          autosize
          minRows={2}
          value={draft.windows}
          onChange={(event) => onChange({ windows: event.currentTarget.value })}
          error={errorOf('windows')}
          autoComplete="off"
          spellCheck={false}
        />
        <Blackouts {...props} />
      </fieldset>
    </>
  )
}

/** Which logins are tried, and what follows when one is refused. */
export function CheckFields(props: FieldsProps) {
  const { draft, onChange, errorOf } = props
  const off = draft.heartbeat === 'off'
  const unrehearsed = draft.rehearse === 'off'
  return (
    <fieldset className={classes.part}>
      <legend>Between changes</legend>
      <Checkbox label="Try a login with the stored value" checked={!off} onChange={(event) => onChange({ heartbeat: event.currentTarget.checked ? '' : 'off' })} />
      {!off && <Field of="heartbeat" description="How often, such as 6h." placeholder="each day" maxLength={32} {...props} />}
      <Checkbox
        label="Repair an account whose login is refused"
        description="The resource’s reconcile account sets a new value, which goes to every mapped key."
        checked={draft.reconcile !== ''}
        onChange={(event) => onChange({ reconcile: event.currentTarget.checked ? 'refused' : '' })}
        error={errorOf('reconcile')}
      />
      <Checkbox label="Rehearse the whole way of a run" description="It changes nothing, and says whether the next change would go through." checked={!unrehearsed} onChange={(event) => onChange({ rehearse: event.currentTarget.checked ? '' : 'off' })} />
      {!unrehearsed && <Field of="rehearse" description="How often, such as 12h." placeholder="each day" maxLength={32} {...props} />}
    </fieldset>
  )
}

type Pause = 'none' | 'span' | 'ask'

/** In which order clusters get a new value. */
export function WaveFields(props: FieldsProps) {
  const { draft, onChange, errorOf } = props
  const pause: Pause = draft.wavePause === 'ask' ? 'ask' : draft.wavePause === '' ? 'none' : 'span'
  return (
    <fieldset className={classes.part}>
      <legend>Waves of clusters</legend>
      <Textarea
        label={labels.canary}
        description="Names or globs, one a line, such as stage-*. They get a new value before the others; none: there is no first wave."
        autosize
        minRows={1}
        value={draft.canary}
        onChange={(event) => onChange({ canary: event.currentTarget.value })}
        error={errorOf('canary')}
        autoComplete="off"
        spellCheck={false}
      />
      <div className={classes.pair}>
        <Field of="waveSize" description="A number of clusters, or a share such as 25%." placeholder="all others at once" maxLength={8} {...props} />
        <Select
          label="Between two waves"
          value={pause}
          onChange={(next) => onChange({ wavePause: next === 'ask' ? 'ask' : next === 'span' ? '30m' : '' })}
          data={[{ value: 'none', label: 'Go on when it is proved' }, { value: 'span', label: 'Wait for some time' }, { value: 'ask', label: 'Wait until somebody resumes' }]}
          allowDeselect={false}
          description="Each wave begins only when the one before is proved."
        />
      </div>
      {pause === 'span' && <Field of="wavePause" description="How long, such as 30m." maxLength={32} {...props} />}
    </fieldset>
  )
}

/** What is done with the workloads that read a new value, and with a run that they keep from ending. */
export function RestartFields({ draft, onChange, errorOf }: FieldsProps) {
  const area = (of: 'restartOrder' | 'restartWindows', description: string) => (
    <Textarea
      label={labels[of]}
      description={description}
      autosize
      minRows={1}
      value={draft[of]}
      onChange={(event) => onChange({ [of]: event.currentTarget.value })}
      error={errorOf(of)}
      autoComplete="off"
      spellCheck={false}
    />
  )
  return (
    <fieldset className={classes.part}>
      <legend>Restarts</legend>
      {area('restartOrder', 'Globs of NAMESPACE/KIND/NAME, one a line, such as shop/StatefulSet/db. What matches the first is restarted first, the rest last; none: all at once.')}
      {area('restartWindows', 'When restarts may begin, one window a line. None: at any time.')}
      <Checkbox
        label="Roll back a run that is stuck"
        description="Once its value was proved, and only while the system takes both values. Otherwise it waits for somebody."
        checked={draft.onStuck === 'rollback'}
        onChange={(event) => onChange({ onStuck: event.currentTarget.checked ? 'rollback' : '' })}
        error={errorOf('onStuck')}
      />
      <Checkbox
        label="Replace immutable Secrets"
        description="By a Secret of another name, which what reads the old one is told. The connector needs the right to. Otherwise a run stops there."
        checked={draft.immutable === 'replace'}
        onChange={(event) => onChange({ immutable: event.currentTarget.checked ? 'replace' : '' })}
        error={errorOf('immutable')}
      />
    </fieldset>
  )
}
