import { Autocomplete, Radio, Select, type SelectProps, Stack, TextInput } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { keys } from '../../api/keys'
import type { Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { fieldError } from './fields'
import { useRead } from './named'
import classes from './parts.module.css'
import { type Kind, noWay, type Way, wayFault } from './way'

export interface WayFieldsProps {
  type: Schemas['Type']
  way: Way
  onChange: (way: Way) => void
  problem: Problem | undefined
  readOnly?: boolean
}

const text = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false, required: true, withAsterisk: false } as const

/** How a resource is reached: directly, or through a connected cluster. Nothing for a type that has no connection of its own. */
export function WayFields({ type, way, onChange, problem, readOnly }: WayFieldsProps) {
  const error = fieldError(problem, 'through') ?? fieldError(problem, 'place') ?? fieldError(problem, 'cluster')
  if (type.ofCluster) return <Place type={type} way={way ?? noWay(type)} onChange={onChange} error={error} readOnly={readOnly} />
  if (!type.inside) return null
  return (
    <div className={classes.way}>
      <Radio.Group
        label="Reached"
        value={way === undefined ? 'directly' : 'through'}
        onChange={(value) => onChange(value === 'through' ? noWay(type) : undefined)}
        error={way === undefined ? error : undefined}
      >
        <Stack gap={8} mt={4}>
          <Radio value="directly" label="Directly" description="Keyturn’s machine connects to the host." disabled={readOnly && way !== undefined} />
          <Radio
            value="through"
            label="Through a cluster"
            description="Its API server’s port-forward opens each connection with the connector’s rights. The host is not looked up; the certificate is still checked against it."
            disabled={readOnly && way === undefined}
          />
        </Stack>
      </Radio.Group>
      {way !== undefined && <Place type={type} way={way} onChange={onChange} error={error} readOnly={readOnly} />}
    </div>
  )
}

function Place({ type, way, onChange, error, readOnly }: { type: Schemas['Type']; way: NonNullable<Way>; onChange: (way: Way) => void; error: string | undefined; readOnly?: boolean }) {
  const api = useApi()
  const clusters = useRead(keys.list('cluster', { as: 'ways' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/clusters', { params: { query: { limit: 500 } }, signal })).items ?? [])
  const set = (part: Partial<NonNullable<Way>>) => onChange({ ...way, ...part })
  const faults = new Map(clusters.data?.map((cluster) => [cluster.name, wayFault(type, cluster)]))
  const chosen = clusters.data?.find(({ name }) => name === way.cluster)
  const options = (clusters.data ?? []).map(({ name }) => ({ value: name, label: name, disabled: faults.get(name) !== undefined }))
  // One that was removed, or that the user may not see, is no longer listed and still the way.
  if (way.cluster !== '' && chosen === undefined) options.push({ value: way.cluster, label: way.cluster, disabled: false })
  const renderOption: SelectProps['renderOption'] = ({ option }) => (
    <span>
      <bdi>{option.label}</bdi>
      {faults.get(option.value) && <span className={classes.why}>{faults.get(option.value)}</span>}
    </span>
  )
  const none = clusters.data !== undefined && options.every(({ disabled }) => disabled)
  return (
    <Stack gap={16} ml={type.ofCluster ? 0 : 28}>
      <Select
        {...text}
        label="Cluster"
        description="The connected cluster that it is in. Whoever points a resource at one must manage it."
        placeholder={clusters.problem ? 'the clusters cannot be read' : 'Choose a cluster'}
        data={options}
        renderOption={renderOption}
        value={way.cluster === '' ? null : way.cluster}
        onChange={(cluster) => set({ cluster: cluster ?? '' })}
        searchable
        allowDeselect={false}
        nothingFoundMessage="No connected cluster has this name"
        readOnly={readOnly}
        error={error ?? clusters.problem?.fields.title}
      />
      {none && (
        <p className={classes.note}>
          {options.length === 0 ? 'No cluster is connected. ' : `No connected cluster allows it yet: its rights must let the connector ${type.ofCluster ? 'replace Secrets' : 'connect to ports of pods'}. `}
          <Link className={classes.link} to={options.length === 0 ? '/clusters/new' : '/clusters'}>{options.length === 0 ? 'Connect a cluster' : 'Open the clusters'}</Link>
        </p>
      )}
      <Autocomplete
        {...text}
        label="Namespace"
        description={type.ofCluster ? 'That of the ServiceAccounts.' : undefined}
        data={chosen?.scope.namespaces ?? []}
        value={way.namespace}
        onChange={(namespace) => set({ namespace: namespace.replaceAll('/', '') })}
        maxLength={253}
        readOnly={readOnly}
      />
      {!type.ofCluster && (
        <>
          <Radio.Group label="What is connected to" description="At the resource’s port above. Of a service it is the service’s port, and one of its ready pods answers." value={way.kind} onChange={(kind) => set({ kind: kind as Kind })}>
            <Stack gap={8} mt={4}>
              <Radio value="service" label="A service" disabled={readOnly && way.kind !== 'service'} />
              <Radio value="pod" label="A pod" disabled={readOnly && way.kind !== 'pod'} />
            </Stack>
          </Radio.Group>
          <TextInput {...text} label={way.kind === 'pod' ? 'Pod' : 'Service'} value={way.name} onChange={(event) => set({ name: event.currentTarget.value.replaceAll('/', '') })} maxLength={253} readOnly={readOnly} />
        </>
      )}
    </Stack>
  )
}
