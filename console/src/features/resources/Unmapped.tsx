import { Button, Group, Modal, Select, Stack } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { keys } from '../../api/keys'
import { bodyOf, useApi } from '../../app/api'
import { keySize } from '../../ui/format'
import { looksLikeValue } from '../../ui/filter'
import { type Secret } from '../secrets/secret'
import { useRead } from './named'
import { Offer } from '../../ui/Offer'
import classes from './parts.module.css'
import { secretPlace, PlaceLink } from './PlaceLink'

interface Chosen {
  secret: Secret
  key: string
}

/** The keys that no account stands in, each with a way to map it. Each of `secrets` comes with those keys alone. */
export function Unmapped({ secrets }: { secrets: readonly Secret[] }) {
  const [chosen, setChosen] = useState<Chosen>()
  const rows = secrets.flatMap((secret) => (secret.keys ?? []).map((key) => ({ secret, key })))
  return (
    <>
      <table className={classes.table}>
        <thead>
          <tr><th scope="col">Secret</th><th scope="col">Key</th><th scope="col">Size</th><th scope="col"><span className={classes.spoken}>Actions</span></th></tr>
        </thead>
        <tbody>
          {rows.map(({ secret, key }) => (
            <tr key={`${secret.id} ${key.name}`}>
              <td><PlaceLink place={secretPlace(secret)}><bdi>{secret.namespace}/{secret.name}</bdi></PlaceLink></td>
              <td data-label="Key"><code><bdi>{key.name}</bdi></code></td>
              <td data-label="Size">{keySize(key.size)}</td>
              <td data-end="">
                <Offer may={secret.can?.['map']} size="compact-sm" label={`Map ${secret.namespace}/${secret.name} ${key.name}…`} onClick={() => setChosen({ secret, key: key.name })}>Map…</Offer>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <MapDialog chosen={chosen} onClose={() => setChosen(undefined)} />
    </>
  )
}

/** Asks to which account a key belongs, and goes on to the page that compares the two. */
export function MapDialog({ chosen, onClose }: { chosen: Chosen | undefined; onClose: () => void }) {
  const api = useApi()
  const navigate = useNavigate()
  const [typed, setTyped] = useState('')
  const [part] = useDebouncedValue(typed, 150)
  const [account, setAccount] = useState<string>()
  // What could be a value is not sent.
  const q = looksLikeValue(part) ? undefined : part
  const accounts = useRead(keys.list('account', { q, as: 'choice' }), async (signal) =>
    bodyOf(await api.GET('/api/v1/accounts', { params: { query: { q, limit: 50 } }, signal })).items ?? [], chosen !== undefined)
  const found = (accounts.data ?? []).filter(({ can }) => can?.['map']?.allowed)
  const next = () => {
    const to = found.find(({ id }) => id === account)
    if (!to || !chosen) return
    const { secret, key } = chosen
    void navigate({
      to: '/resources/$resource/accounts/$account/associate',
      params: { resource: to.resourceName, account: to.name },
      search: { cluster: secret.clusterName, secret: `${secret.namespace}/${secret.name}`, key },
    } as never)
  }
  return (
    <Modal opened={chosen !== undefined} onClose={onClose} title={chosen && `Map ${chosen.secret.namespace}/${chosen.secret.name}: ${chosen.key}`} centered size={520} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack gap="md">
        <Select
          label="Account"
          description="Whose password this key holds. The next page compares the two without showing them."
          placeholder="Type a part of its name"
          searchable
          data={found.map(({ id, name, resourceName }) => ({ value: id, label: `${name} on ${resourceName}` }))}
          value={account ?? null}
          onChange={(id) => setAccount(id ?? undefined)}
          onSearchChange={setTyped}
          nothingFoundMessage="No account that you may map"
          data-autofocus
        />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button disabled={account === undefined} onClick={next}>Compare</Button>
        </Group>
      </Stack>
    </Modal>
  )
}
