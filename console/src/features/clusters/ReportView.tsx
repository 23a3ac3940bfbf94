import { Button, Group, Stack, TextInput } from '@mantine/core'
import { IconCircleCheck, IconCircleDashed, IconCircleX, IconDownload } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { CopyText } from '../../ui/CopyText'
import { Fact, Facts } from '../../ui/Fact'
import { sentence } from '../../ui/format'
import { iconProps } from '../../ui/icons'
import { type Step, Steps } from '../../ui/Steps'
import { Time } from '../../ui/Time'
import { type Certificate, checkTitles, endsLike, fingerprint, fingerprintCommand, outcome, type Report, stepTitle } from './check'
import { pathOf } from './clusters'
import classes from './Connect.module.css'
import { saveText } from './save'

type Check = NonNullable<Report['checks']>[number]
type Part = NonNullable<Check['steps']>[number]

const marks = { done: IconCircleCheck, failed: IconCircleX, to_do: IconCircleDashed, running: IconCircleDashed }
const said = { done: 'done', failed: 'failed', to_do: 'not tried', running: 'running' }

function Parts({ parts }: { parts: readonly Part[] }) {
  const failed = parts.filter(({ state }) => state === 'failed')
  return (
    <>
      <ul className={classes.parts}>
        {parts.map(({ name, state, detail }) => {
          const Mark = marks[state]
          return (
            <li key={name} data-state={state}>
              <Mark {...iconProps} size={14} />
              <span>{stepTitle(name)} {detail ? <bdi>{detail}</bdi> : state === 'failed' || state === 'to_do' ? said[state] : ''}</span>
            </li>
          )
        })}
      </ul>
      {failed.map(({ name, cause, cure }) => (
        <div key={name} className={classes.cause}>
          {cause && <p>{sentence(cause)}</p>}
          {cure && <p><b>What to do now:</b> {sentence(cure)}</p>}
        </div>
      ))}
    </>
  )
}

function stepsOf(report: Report | undefined, busy: boolean): Step[] {
  if (busy || report === undefined) {
    return (['host', 'api', 'token'] as const).map((id, i) => ({
      id,
      title: checkTitles[id],
      state: busy && i === 0 ? 'running' : 'to_do',
      waitsFor: busy && i === 0 ? 'The server tries the address, then the API, then the token. It takes half a minute at most.' : undefined,
    }))
  }
  return (report.checks ?? []).map((check) => ({
    id: check.name,
    title: checkTitles[check.name],
    state: check.state,
    detail: check.state === 'to_do' ? undefined : <Parts parts={check.steps ?? []} />,
  }))
}

export interface ReportViewProps {
  busy: boolean
  report: Report | undefined
  /** Fields were changed since the test. */
  stale: boolean
  /** Takes a certificate that the server presented as the CA, after its fingerprint was compared; without it this is not offered. */
  onUseCA?: (pem: string) => void
}

/** The three checks of a connection: what was proved, and of the first that failed why, and what to do. */
export function ReportView({ busy, report, stale, onUseCA }: ReportViewProps) {
  const old = stale && !busy && report !== undefined
  return (
    <section aria-label="Test" className={classes.report} data-stale={old || undefined}>
      <p role="status" className={classes.outcome}>
        {busy ? 'Testing…' : report === undefined ? 'Not tested yet.' : old ? 'The fields changed since this test. Test again.' : outcome(report)}
      </p>
      <Steps label="The three checks" steps={stepsOf(report, busy)} />
      {!busy && report && <Found report={report} onUseCA={onUseCA} />}
    </section>
  )
}

function Found({ report, onUseCA }: { report: Report; onUseCA: ReportViewProps['onUseCA'] }) {
  const { chain, missing, missingManifest, known, removed } = report
  const top = chain?.at(-1)
  return (
    <Stack gap={12}>
      {chain?.map((certificate) => (
        <Presented key={certificate.sha256} certificate={certificate} onUse={certificate === top ? onUseCA : undefined} />
      ))}
      {missing && missing.length > 0 && (
        <div className={classes.cause}>
          <p><b>Rights that are missing</b></p>
          <ul className={classes.missing}>{missing.map((right) => <li key={right}><IconCircleX {...iconProps} size={14} /> <code>{right}</code></li>)}</ul>
          {missingManifest && (
            <Button variant="default" mt={8} leftSection={<IconDownload {...iconProps} />} onClick={() => saveText('keyturn-missing.yaml', missingManifest)}>
              Download the difference
            </Button>
          )}
          <p className={classes.hint}>Apply it with <code>kubectl apply -f keyturn-missing.yaml</code>, then test again. It takes nothing away.</p>
        </div>
      )}
      {known && !removed && (
        <p className={classes.cause}>This cluster is connected already, as <Link to={pathOf(known)}>{known}</Link>. It cannot be connected twice.</p>
      )}
      {known && removed && (
        <p className={classes.note}>This cluster was connected as {known}, and its association was removed. Its resources and values are still here: saving attaches them again.</p>
      )}
    </Stack>
  )
}

function Presented({ certificate, onUse }: { certificate: Certificate; onUse: ReportViewProps['onUseCA'] }) {
  const [comparing, setComparing] = useState(false)
  const [typed, setTyped] = useState('')
  const right = endsLike(typed, certificate.sha256)
  return (
    <div className={classes.certificate}>
      <Facts>
        <Fact label="It presents"><bdi>{certificate.subject}</bdi></Fact>
        <Fact label="Signed by"><bdi>{certificate.issuer}</bdi></Fact>
        <Fact label="Valid until"><Time at={certificate.notAfter} /></Fact>
        <Fact label="SHA-256"><code>{fingerprint(certificate.sha256)}</code></Fact>
      </Facts>
      {onUse && (
        <>
          <p className={classes.hint}>Anybody between here and the cluster could present this. Compare it on the server itself:</p>
          <CopyText command label="the command" text={fingerprintCommand(certificate)} />
          {!comparing && <Button variant="default" onClick={() => setComparing(true)}>Use this CA…</Button>}
          {comparing && (
            <Group align="flex-end" gap={8}>
              <TextInput
                label="The last 8 characters that the server printed"
                description="Without the colons or with them."
                value={typed}
                onChange={(event) => setTyped(event.currentTarget.value)}
                error={typed.replaceAll(/[\s:]/g, '').length >= 8 && !right ? 'They differ. Do not use this certificate.' : undefined}
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                autoFocus
              />
              <Button disabled={!right} onClick={() => onUse(certificate.pem)}>Use this CA</Button>
            </Group>
          )}
        </>
      )}
    </div>
  )
}
