import { Button, FileButton, Group, PasswordInput, Radio, Stack, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { Problem } from '../../api/problem'
import { type ConnectionDraft, faultsOf } from './check'

const mostCA = 64 * 1024

/** What the server said of a field: "body.token" is the token. */
export function refusalOf(problem: Problem | undefined, field: string): string | undefined {
  return problem?.fields.errors?.find(({ location }) => location.split('.')[1] === field)?.message
}

export interface ConnectionFormProps {
  draft: ConnectionDraft
  onChange: (draft: ConnectionDraft) => void
  token: string
  onToken: (token: string) => void
  /** Why the token is asked for, below its field; "none" does not ask. */
  tokenNote: string | undefined
  problem: Problem | undefined
}

/** Where a cluster is, whom to trust there, and the connector's token. */
export function ConnectionForm({ draft, onChange, token, onToken, tokenNote, problem }: ConnectionFormProps) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const [refusedFile, setRefusedFile] = useState<string>()
  const faults = faultsOf(draft)
  const change = (part: Partial<ConnectionDraft>) => onChange({ ...draft, ...part })
  // A fault is shown once the field was left, not while it is being typed.
  const errorOf = (field: keyof ConnectionDraft) => refusalOf(problem, field) ?? (left.has(field) && draft[field] !== '' ? faults[field] : undefined)
  const onBlur = (field: string) => () => setLeft(new Set([...left, field]))
  const readFile = async (file: File | null) => {
    if (!file) return
    setRefusedFile(undefined)
    if (file.size > mostCA) return setRefusedFile('This file is too large for a CA.')
    const ca = await file.text()
    // A key chosen by mistake is not kept, not even here.
    if (ca.includes('PRIVATE KEY')) return setRefusedFile('This file holds a private key. Choose the one with the certificate.')
    change({ ca })
  }
  const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const
  return (
    <Stack gap={16} maw={640}>
      <TextInput
        {...plain}
        label="Name"
        description="What you call it here and on the command line."
        placeholder="prod-us"
        value={draft.name}
        onChange={(event) => change({ name: event.currentTarget.value })}
        onBlur={onBlur('name')}
        error={errorOf('name')}
      />
      <TextInput
        {...plain}
        label="API server URL"
        placeholder="https://10.2.0.4:6443"
        value={draft.server}
        onChange={(event) => change({ server: event.currentTarget.value })}
        onBlur={onBlur('server')}
        error={errorOf('server')}
      />
      <Radio.Group label="Certificate authority" value={draft.trust} onChange={(trust) => change({ trust: trust as ConnectionDraft['trust'] })}>
        <Group gap={24} mt={4}>
          <Radio value="pem" label="The cluster's own, as PEM" />
          <Radio value="system" label="The system's roots" />
        </Group>
      </Radio.Group>
      {draft.trust === 'pem' && (
        <Stack gap={8}>
          <Group gap={8}>
            <FileButton onChange={(file) => void readFile(file)} accept=".crt,.pem,.cer,.txt">
              {(button) => <Button {...button} variant="default">Choose a file</Button>}
            </FileButton>
            <span>or paste it</span>
          </Group>
          <Textarea
            {...plain}
            aria-label="CA as PEM"
            placeholder="-----BEGIN CERTIFICATE-----"
            rows={5}
            wrap="off"
            value={draft.ca}
            onChange={(event) => change({ ca: event.currentTarget.value })}
            onBlur={onBlur('ca')}
            error={refusedFile ?? errorOf('ca')}
            description="Left empty, the test shows the certificate that the server presents, for you to compare."
          />
        </Stack>
      )}
      {tokenNote !== undefined && (
        <PasswordInput
          label="Token"
          description={tokenNote}
          value={token}
          onChange={(event) => onToken(event.currentTarget.value)}
          error={refusalOf(problem, 'token')}
          autoComplete="off"
          spellCheck={false}
          visible={false}
          visibilityToggleButtonProps={{ style: { display: 'none' } }}
        />
      )}
    </Stack>
  )
}
