import { Button, Checkbox, Radio, Stack } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, type Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import type { Search } from '../../app/search'
import { EmptyState } from '../../ui/EmptyState'
import { type FilterField, filterFromSearch, filterText, filterToSearch } from '../../ui/filter'
import { FilterBar } from '../../ui/FilterBar'
import { count } from '../../ui/format'
import { PageHead } from '../../ui/PageHead'
import { ProblemView } from '../../ui/ProblemView'
import {
  chosenByRule, type Choice, emptyRule, filtered, groupsOf, isChosen, laterOf, nothing, type RuleDraft, ruleOf,
  selectionOf, sentence, termsOf, tooMuch, turnNamespace, turnSecret, typesOf,
} from './choice'
import { type Cluster, may, pathOf, underWay, useCluster } from './clusters'
import classes from './Fetch.module.css'
import { Loading } from './Loading'
import { Offer } from '../../ui/Offer'
import { RuleForm } from './RuleForm'
import { SecretTree } from './SecretTree'

/** Chooses which Secrets of a cluster are imported, from metadata alone. */
export function FetchPage() {
  const { cluster: ref = '' } = useParams({ strict: false }) as { cluster?: string }
  const { cluster, problem, onRetry } = useCluster(ref)
  const above = [{ label: 'Clusters', to: '/clusters' }, { label: cluster?.name ?? ref, to: pathOf(cluster?.name ?? ref) }]
  return (
    <>
      <PageHead title="Choose Secrets" tab={`Choose Secrets of ${cluster?.name ?? ref}`} above={above}>
        What you choose is imported, kept in step and watched. No value is read before you save.
      </PageHead>
      {cluster ? <Available cluster={cluster} /> : problem ? <ProblemView problem={problem} onRetry={onRetry} /> : <Loading label="Reading the cluster" lines={12} />}
    </>
  )
}

/** Asks the cluster what it has. The answer is kept out of the reach of events: an import under way would have it asked again and again. */
function Available({ cluster }: { cluster: Cluster }) {
  const api = useApi()
  const look = may(cluster, 'secrets')
  const found = useQuery({
    queryKey: keys.one('cluster', `available in ${cluster.id}`),
    queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/clusters/{cluster}/available', { params: { path: { cluster: cluster.id } }, signal })),
    enabled: look.allowed,
    staleTime: 0,
    gcTime: 60_000,
  })
  if (!look.allowed) return <EmptyState empty={{ why: 'no-grants', what: `the Secrets of ${cluster.name}`, ask: look.reason ?? 'Ask an administrator.' }} />
  if (found.data === undefined) {
    return found.error ? <ProblemView problem={asProblem(found.error)} onRetry={() => void found.refetch()} /> : <Loading label="Asking the cluster what it has" lines={12} />
  }
  return <Chooser cluster={cluster} found={found.data} onReload={() => void found.refetch()} reloading={found.isFetching} />
}

interface ChooserProps {
  cluster: Cluster
  found: Schemas['RemoteSecrets']
  onReload: () => void
  reloading: boolean
}

function Chooser({ cluster, found, onReload, reloading }: ChooserProps) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const search = useSearch({ strict: false }) as Search
  const byRule = search['by'] === 'rule'
  const [choice, setChoice] = useState<Choice>(nothing)
  const [rule, setRule] = useState<RuleDraft>(emptyRule)
  const [saving, setSaving] = useState(false)
  const [problem, setProblem] = useState<Problem>()

  const secrets = useMemo(() => found.items ?? [], [found])
  const groups = useMemo(() => groupsOf(found), [found])
  const types = useMemo(() => typesOf(secrets), [secrets])
  const fields = useMemo<FilterField[]>(() => [{ key: 'type', label: 'Type', values: types }, { key: 'ns', label: 'Namespace' }], [types])
  const filter = useMemo(() => filterFromSearch(search, fields), [search, fields])
  const shown = useMemo(() => filtered(groups, filter), [groups, filter])
  const chosen = useMemo(() => (byRule ? chosenByRule(rule, secrets) : secrets.filter((secret) => isChosen(choice, secret))), [byRule, rule, secrets, choice])
  const ruleReads = termsOf(rule.labels) !== undefined
  const later = byRule ? (ruleReads ? 'what comes later and matches' : undefined) : laterOf(choice)
  const fault = byRule ? (ruleReads ? undefined : 'The labels cannot be read.') : tooMuch(choice)
  const empty = byRule ? !ruleReads : !choice.all && choice.namespaces.size + choice.secrets.size === 0
  const fetchable = underWay(cluster.fetch) && may(cluster, 'fetch').allowed ? { allowed: false, reason: 'A fetch or sync of this cluster is under way. Wait for its end.' } : may(cluster, 'fetch')
  const isFiltered = filter.tokens.length > 0 || filter.text !== ''

  const save = async () => {
    setSaving(true)
    setProblem(undefined)
    try {
      const body = byRule ? { rule: ruleOf(rule) } : selectionOf(choice)
      await api.POST('/api/v1/clusters/{cluster}/fetches', { params: { path: { cluster: cluster.id } }, body })
      await client.invalidateQueries({ queryKey: keys.one('cluster', cluster.id) })
      await navigate({ to: pathOf(cluster.name) })
    } catch (error) {
      setProblem(asProblem(error))
      setSaving(false)
    }
  }
  const setBy = (by: string) => void navigate({ to: '.', search: { by: by === 'rule' ? 'rule' : undefined } as never, replace: true })
  return (
    <Stack gap={12}>
      <Radio.Group aria-label="How to choose" value={byRule ? 'rule' : 'pick'} onChange={setBy}>
        <div className={classes.modes}>
          <Radio value="pick" label="Pick" />
          <Radio value="rule" label="By a rule" />
          <span className={classes.count}>
            {count(secrets.length)} Secrets in {count(groups.length)} namespaces
            {found.truncated && ' are shown; the cluster has more. A rule, whole namespaces or everything reach them too'}
          </span>
          <Button variant="subtle" size="compact-sm" loading={reloading} onClick={onReload}>Ask again</Button>
        </div>
      </Radio.Group>
      {byRule ? (
        <RuleForm rule={rule} onChange={setRule} types={types.map(({ value }) => value)} chosen={chosen} />
      ) : (
        <>
          <FilterBar
            label="Filter Secrets"
            fields={fields}
            value={filter}
            onChange={(next) => void navigate({ to: '.', search: filterToSearch(next) as never, replace: true })}
          />
          <Checkbox
            label="Everything, also the namespaces that come later"
            checked={choice.all}
            onChange={(event) => setChoice(event.currentTarget.checked ? { ...nothing, all: true } : nothing)}
          />
          {shown.length > 0 && (
            <SecretTree
              groups={shown}
              choice={choice}
              open={isFiltered}
              onNamespace={(group) => setChoice((before) => turnNamespace(before, groups, group))}
              onSecret={(secret) => setChoice((before) => turnSecret(before, groups, secret))}
            />
          )}
          {shown.length === 0 && isFiltered && <EmptyState empty={{ why: 'no-match', filter: filterText(filter), onClear: () => void navigate({ to: '.', search: {} as never, replace: true }) }} />}
          {groups.length === 0 && <EmptyState empty={{ why: 'first', title: 'The cluster has no Secrets in its scope', text: 'Make one there, or widen the scope under Edit, then ask again.' }} />}
        </>
      )}
      {problem && <ProblemView problem={problem} onDismiss={() => setProblem(undefined)} />}
      <div className={classes.foot}>
        <p role="status" data-answer="">{fault ?? (empty ? 'Nothing is chosen.' : sentence(chosen, later))}</p>
        <div>
          <Offer variant="filled" may={fetchable} disabled={empty || fault !== undefined} loading={saving} onClick={() => void save()}>Save and fetch</Offer>
          <Button variant="default" component={Link} to={pathOf(cluster.name)}>Cancel</Button>
        </div>
      </div>
    </Stack>
  )
}
