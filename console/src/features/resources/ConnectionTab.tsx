import { Button, Group, Select, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { BothSides } from '../../ui/BothSides'
import { Confirm } from '../../ui/Confirm'
import { Fact, Facts } from '../../ui/Fact'
import { useForm } from '../../ui/form'
import { count } from '../../ui/format'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { type Contested, contested, firstSide } from '../../ui/sides'
import { Time } from '../../ui/Time'
import { DriftPolicy } from '../conflicts/DriftPolicy'
import { fieldError, settingsOf } from './fields'
import { useRead } from './named'
import { Offer } from '../../ui/Offer'
import classes from './parts.module.css'
import { kubernetes, readTypes, type Resource } from './resource'
import { SettingsFields } from './SettingsFields'
import { Loaded } from './Waiting'
import { PlaceLink } from './PlaceLink'
import { throughOf, type Way, wayOf, wayText } from './way'
import { WayFields } from './WayFields'

/** How Keyturn reaches a resource. What a fetch made is the cluster's to change. */
export function ConnectionTab({ resource }: { resource: Resource }) {
  const api = useApi()
  const isKube = resource.type === kubernetes
  const types = useRead([...keys.lists('resource'), 'types'], (signal) => readTypes(api, signal), !isKube)
  if (isKube) {
    return (
      <>
        <Facts>
          <Fact label="Cluster">
            {resource.clusterRemoved || !resource.clusterName
              ? `${resource.clusterName || 'not known'} (removed)`
              : <PlaceLink place={{ to: '/clusters/$cluster', params: { cluster: resource.clusterName } }}><bdi>{resource.clusterName}</bdi></PlaceLink>}
          </Fact>
          <Fact label="Namespace"><bdi>{resource.namespace}</bdi></Fact>
          <Fact label="Made"><Time at={resource.createdAt} /></Fact>
          <Fact label="Changed on">the cluster’s page; this resource has no settings of its own but the next</Fact>
        </Facts>
        {!resource.clusterRemoved && <DriftPolicy of="resource" object={resource} may={resource.can?.['onDrift']} />}
      </>
    )
  }
  return (
    <>
      {resource.through && (
        <Facts>
          <Fact label="Reached through">
            <bdi>{resource.through.place}</bdi> in{' '}
            {resource.through.clusterName && !resource.through.clusterRemoved
              ? <PlaceLink place={{ to: '/clusters/$cluster', params: { cluster: resource.through.clusterName } }}><bdi>{resource.through.clusterName}</bdi></PlaceLink>
              : <bdi>{resource.through.clusterName ?? 'a cluster that you do not see'}</bdi>}
            {resource.through.clusterRemoved && ' (removed)'}
          </Fact>
        </Facts>
      )}
      <Loaded of={types} lines={6}>
        {(all) => <Settings key={resource.id} resource={resource} type={all.find(({ type }) => type === resource.type)} />}
      </Loaded>
    </>
  )
}

/** What the form holds, as text. None of it is a secret. */
type Values = Readonly<Record<string, string>>

const valuesOf = ({ name, settings, reconcileAccountId, through }: Resource): Values => ({ ...settings, name, reconcileAccountId: reconcileAccountId ?? '', way: wayText(wayOf({ through })) })

function Settings({ resource, type }: { resource: Resource; type: Schemas['Type'] | undefined }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const may = resource.can?.['update']
  const accounts = useRead(keys.list('account', { resource: resource.id, as: 'names' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/accounts', { params: { query: { resource: resource.id, limit: 500 } }, signal })).items ?? [])
  // What the fields began with. A newer one that an event brings is not taken silently: the save is refused, and both are shown.
  const [base, setBase] = useState(resource)
  const [start, setStart] = useState({ values: valuesOf(resource), round: 0 })
  const [conflict, setConflict] = useState<{ fields: Contested[]; mine: Values; theirs: Values; ways: ReadonlyMap<string, Way> }>()
  const form = useRef<HTMLFormElement>(null)
  const [reconciler, setReconciler] = useState(resource.reconcileAccountId ?? '')
  const [way, setWay] = useState(wayOf(resource))
  const fields = type?.fields ?? []
  /** Draws the fields anew with what is in them, but for some. */
  const put = (typed: Values, part: Values, ways: ReadonlyMap<string, Way>) => {
    if ('reconcileAccountId' in part) setReconciler(part['reconcileAccountId'] ?? '')
    if ('way' in part) setWay(ways.get(part['way'] ?? ''))
    setStart(({ round }) => ({ values: { ...typed, ...part }, round: round + 1 }))
  }
  const typedNow = (): Values => {
    const data = form.current ? new FormData(form.current) : new FormData()
    return Object.fromEntries(['name', ...fields.map(({ name }) => name)].map((name) => [name, String(data.get(name) ?? '')]))
  }
  /** Reads what is stored now; what was not typed here becomes what it is there. */
  const compare = async (mine: Values) => {
    const now = bodyOf(await api.GET('/api/v1/resources/{resource}', { params: { path: { resource: resource.id } } }))
    const [was, theirs] = [valuesOf(base), valuesOf(now)]
    const nameOf = (id = '') => accounts.data?.find((account) => account.id === id)?.name ?? id
    const ways = new Map([way, wayOf(now)].map((one) => [wayText(one), one]))
    const labels = [{ name: 'name', label: 'Name' }, ...fields, { name: 'way', label: 'Reached' }, ...(type?.reconcile ? [{ name: 'reconcileAccountId', label: 'Reconcile account' }] : [])]
    const both = contested(labels.map(({ name: key, label }) => {
      const text = (values: Values) => (key === 'reconcileAccountId' ? nameOf(values[key]) : (values[key] ?? fields.find(({ name }) => name === key)?.default ?? ''))
      return { key, label, base: text(was), mine: text(mine), theirs: text(theirs) }
    }))
    client.setQueryData(keys.one('resource', resource.id), now)
    setBase(now)
    setConflict({ fields: both, mine, theirs, ways })
    put(mine, Object.fromEntries(both.filter((field) => firstSide(field) === 'theirs').map(({ key }) => [key, theirs[key] ?? ''])), ways)
  }
  const { busy, problem, onSubmit } = useForm(async (field) => {
    const name = field('name').trim()
    const mine = { ...typedNow(), reconcileAccountId: reconciler, way: wayText(way) }
    const settings = settingsOf(fields, field)
    const changed = (now: unknown, was: unknown) => JSON.stringify(now) !== JSON.stringify(was)
    try {
      const { data } = await api.PATCH('/api/v1/resources/{resource}', {
        params: { path: { resource: resource.id }, header: { ...ifMatch(`"${base.rev}"`) } },
        body: {
          name, reconcileAccountId: reconciler,
          // They say to which port of a cluster it leads, so sending them asks for the cluster too: whoever does not manage that may rename.
          ...(changed(settings, settingsOf(fields, (key) => base.settings?.[key] ?? '')) && { settings }),
          ...(wayText(way) !== wayText(wayOf(base)) && { through: throughOf(way) }),
        },
      })
      client.setQueryData(keys.one('resource', resource.id), data)
      if (data) setBase(data)
      setConflict(undefined)
      void client.invalidateQueries({ queryKey: keys.lists('resource') })
      say('Saved')
      if (name !== resource.name) await navigate({ to: '/resources/$resource' as never, params: { resource: name } as never, search: { tab: 'connection' } as never, replace: true })
    } catch (error) {
      // Somebody was faster: nothing of theirs is overwritten.
      if (changedMeanwhile(error)) await compare(mine)
      throw error
    }
  })
  return (
    <>
      <form ref={form} onSubmit={onSubmit} className={classes.form}>
        {problem && <ProblemView problem={problem} />}
        {conflict && (
          <BothSides
            key={base.rev}
            fields={conflict.fields}
            onChoose={(key, side) => put(typedNow(), { [key]: (side === 'mine' ? conflict.mine : conflict.theirs)[key] ?? '' }, conflict.ways)}
          />
        )}
        <TextInput key={`name ${start.round}`} name="name" label="Name" defaultValue={start.values['name']} required withAsterisk={false} readOnly={!may?.allowed} autoComplete="off" autoCapitalize="none" spellCheck={false} error={fieldError(problem, 'name')} />
        <SettingsFields key={start.round} fields={fields} values={start.values} problem={problem} readOnly={!may?.allowed} />
        {type && <WayFields type={type} way={way} onChange={setWay} problem={problem} readOnly={!may?.allowed} />}
        {type?.reconcile && (
          <Select
            label="Reconcile account"
            description="A stronger login on this resource that can set an account’s password without knowing the present one."
            placeholder="none"
            data={(accounts.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
            value={reconciler === '' ? null : reconciler}
            onChange={(next) => setReconciler(next ?? '')}
            clearable
            clearButtonProps={{ 'aria-label': 'No reconcile account' }}
            searchable
            readOnly={!may?.allowed}
            error={fieldError(problem, 'reconcileAccountId')}
          />
        )}
        <Group gap="sm">
          {may?.allowed ? <Button type="submit" loading={busy}>Save</Button> : <Offer may={may} variant="filled">Save</Offer>}
        </Group>
      </form>
      <DeleteResource resource={resource} />
    </>
  )
}

function DeleteResource({ resource }: { resource: Resource }) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asking, setAsking] = useState(false)
  const remove = async () => {
    await api.DELETE('/api/v1/resources/{resource}', { params: { path: { resource: resource.id }, header: { ...ifMatch(`"${resource.rev}"`) } } })
    await navigate({ to: '/resources' as never })
    client.removeQueries({ queryKey: keys.one('resource', resource.id) })
    void client.invalidateQueries({ queryKey: keys.lists('resource') })
  }
  return (
    <>
      <div className={classes.section}><h2>Delete</h2></div>
      <p className={classes.note}>Keyturn forgets the resource, its accounts and all their versions. The system itself is not touched.</p>
      <Group mt="sm"><Offer may={resource.can?.['delete']} onClick={() => setAsking(true)}>Delete resource…</Offer></Group>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        level={3}
        type={resource.name}
        verb="Delete"
        object={resource.name}
        consequences={[
          `${count(resource.accounts)} ${resource.accounts === 1 ? 'account is' : 'accounts are'} forgotten, with every stored version and mapping.`,
          'Their values cannot be brought back from Keyturn.',
          'Passwords on the system and in Secrets stay as they are.',
        ]}
        onConfirm={remove}
      />
    </>
  )
}
