import { Checkbox, Radio, Stack, TagsInput } from '@mantine/core'
import { IconCheck } from '@tabler/icons-react'
import { asProblem } from '../../api/problem'
import { iconProps } from '../../ui/icons'
import { ProblemView } from '../../ui/ProblemView'
import type { Scope } from './clusters'
import classes from './Connect.module.css'
import { mayReplace, rulesOf, type ScopeDraft, scopeFault, scopeOf, useManifest, wordsOf } from './connector'
import { Loading } from './Loading'

/** What the connector may reach and do. */
export function ScopeForm({ draft, onChange, showFault = false }: { draft: ScopeDraft; onChange: (draft: ScopeDraft) => void; showFault?: boolean }) {
  const change = (part: Partial<ScopeDraft>) => onChange({ ...draft, ...part })
  const fault = scopeFault(draft)
  return (
    <Stack gap={16} maw={640}>
      <Radio.Group label="Where" value={draft.whole ? 'cluster' : 'namespaces'} onChange={(value) => change({ whole: value === 'cluster' })}>
        <Stack gap={8} mt={4}>
          <Radio value="namespaces" label="Named namespaces" />
          {!draft.whole && (
            <TagsInput
              aria-label="Namespaces"
              placeholder={draft.namespaces.length === 0 ? 'shop, billing' : undefined}
              value={[...draft.namespaces]}
              onChange={(tags) => change({ namespaces: wordsOf(tags) })}
              splitChars={[',', ' ']}
              acceptValueOnBlur
              error={fault !== undefined && (showFault || draft.namespaces.length > 0) ? fault : undefined}
              ml={28}
            />
          )}
          <Radio value="cluster" label="The whole cluster" description="Also the namespaces that come later." />
        </Stack>
      </Radio.Group>
      <Radio.Group label="Access" value={draft.access} onChange={(access) => change({ access: access as Scope['access'] })}>
        <Stack gap={8} mt={4}>
          <Radio value="read-write" label="Read and write" description="Sets single keys of Secrets that you map." />
          <Radio value="read-only" label="Read only" description="Nothing can be written there, so no rotation reaches it." />
        </Stack>
      </Radio.Group>
      <Checkbox
        label="May restart workloads"
        description="After a reset, what reads the written keys is restarted and watched until no pod is left from before. Without it Keyturn does not look who reads the keys."
        checked={draft.restart}
        onChange={(event) => change({ restart: event.currentTarget.checked })}
      />
      <Checkbox
        label="May replace immutable Secrets and tokens"
        description={mayReplace(draft)
          ? 'In place of an immutable Secret, where a policy says so, and of a ServiceAccount’s token it makes a Secret of another name, names it where the old one is named, and deletes that. It adds create and delete on Secrets: whoever may make Secrets in a namespace can make a token of each ServiceAccount in it.'
          : 'It needs read and write, and the right to restart workloads.'}
        disabled={!mayReplace(draft)}
        checked={draft.replace && mayReplace(draft)}
        onChange={(event) => change({ replace: event.currentTarget.checked })}
      />
      <Checkbox
        label="May connect to ports of pods"
        description="So that accounts of systems are reset which only the cluster reaches."
        checked={draft.portForward}
        onChange={(event) => change({ portForward: event.currentTarget.checked })}
      />
      <Checkbox
        label="May renew its token"
        description="So that the long-lived token is replaced without a new manifest."
        checked={draft.renewToken}
        onChange={(event) => change({ renewToken: event.currentTarget.checked })}
      />
    </Stack>
  )
}

/** The rights of a scope in plain words, each with its reason, beside the manifest that gives them. */
export function Rights({ draft }: { draft: ScopeDraft }) {
  const valid = scopeFault(draft) === undefined
  const manifest = useManifest(scopeOf(draft), valid)
  if (manifest.error) return <ProblemView problem={asProblem(manifest.error)} onRetry={() => void manifest.refetch()} />
  if (!valid) return <p className={classes.hint}>The rights appear here when the namespaces are named.</p>
  if (manifest.data === undefined) return <Loading label="Reading the rights" />
  return (
    <div className={classes.rights}>
      <ul className={classes.rules} aria-label="What these rights allow">
        {rulesOf(manifest.data).map((rule) => (
          <li key={`${rule.why} ${rule.namespaces.join(' ')}`}>
            <IconCheck {...iconProps} />
            <div>
              <p>{rule.why}</p>
              <p className={classes.hint}>
                <code>{rule.verbs.join(', ')}</code> on <code>{[...rule.resources, ...rule.names].join(' ')}</code>
                {rule.namespaces.length > 0 ? <> in {rule.namespaces.join(', ')}</> : ' in the whole cluster'}
              </p>
            </div>
          </li>
        ))}
      </ul>
      <details className={classes.yaml}>
        <summary>The manifest, keyturn-config.yaml</summary>
        <pre tabIndex={0} role="region" aria-label="The manifest"><code>{manifest.data}</code></pre>
      </details>
    </div>
  )
}
