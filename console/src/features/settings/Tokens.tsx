import { Button, Modal, Select, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, useEffect, useRef, useState } from 'react'
import { asProblem } from '../../api/problem'
import { bodyOf, useApi } from '../../app/api'
import type { Column } from '../../ui/columns'
import { Confirm } from '../../ui/Confirm'
import { count } from '../../ui/format'
import { Grid } from '../../ui/Grid'
import { useToast } from '../../ui/say'
import { Time } from '../../ui/Time'
import { Value } from '../../ui/Value'
import { FormDialog } from './FormDialog'
import { settingsKeys } from './keys'
import { Offer } from '../../ui/Offer'
import { endAfter, type Token } from './people'
import classes from './Settings.module.css'
import { useDialog } from './useDialog'

// Loaded after the list, so that it is there when a token is made.
const loadScopes = () => import('./Scopes')
const Scopes = lazy(() => loadScopes().then((m) => ({ default: m.Scopes })))

const ends = [
  { value: '1', label: 'After a day' },
  { value: '7', label: 'After 7 days' },
  { value: '30', label: 'After 30 days' },
  { value: '90', label: 'After 90 days' },
  { value: '365', label: 'After a year' },
]

const columns: Column<Token>[] = [
  { key: 'name', title: 'Name', width: 150, grow: 1, render: (token) => <bdi className={classes.cell}>{token.name}</bdi> },
  { key: 'owner', title: 'Owner', width: 120, render: (token) => <bdi className={classes.cell}>{token.owner.name}</bdi> },
  { key: 'expires', title: 'Ends', width: 184, render: (token) => <Time at={token.expiresAt} /> },
  { key: 'scopes', title: 'May do', width: 160, grow: 2, priority: 1, render: (token) => <span className={classes.cell}>{(token.scopes ?? []).join(', ')}</span> },
  { key: 'used', title: 'Last used', width: 120, priority: 2, render: (token) => (token.lastUsedAt ? <Time at={token.lastUsedAt} /> : <span className={classes.muted}>never</span>) },
]

/** API tokens, for the command line and for programs. */
export function Tokens() {
  const api = useApi()
  const client = useQueryClient()
  const say = useToast()
  useEffect(() => void loadScopes(), [])
  const dialog = useDialog()
  const query = useQuery({ queryKey: settingsKeys.tokens, queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/tokens', { signal })) })
  const tokens = query.data?.items ?? []
  const open = tokens.find(({ id }) => id === dialog.open)
  // The secret is here from the answer to the closing of its dialog, in nothing that is drawn but the value field.
  const secret = useRef('')
  const [made, setMade] = useState<string>()
  const read = () => client.invalidateQueries({ queryKey: settingsKeys.tokens })
  const make = async (field: (name: string) => string) => {
    const name = field('name')
    const expiresAt = endAfter(field('end'), Date.now()) ?? ''
    const token = bodyOf(await api.POST('/api/v1/tokens', { body: { name, scopes: field('scopes').split(',').filter(Boolean), expiresAt } }))
    secret.current = token.secret ?? ''
    setMade(name)
    await read()
  }
  const close = () => {
    secret.current = ''
    setMade(undefined)
  }
  const revoke = async (token: Token) => {
    await api.DELETE('/api/v1/tokens/{token}', { params: { path: { token: token.id } } })
    say(`${token.name} no longer works.`)
    void read()
  }
  const withActions: Column<Token>[] = [
    ...columns,
    { key: 'actions', title: 'Revoke', width: 100, render: (token) => <Offer size="compact-sm" variant="default" may={token.can?.['delete']} onClick={() => dialog.go({ do: 'revoke', open: token.id })}>Revoke</Offer> },
  ]
  return (
    <>
      <div className={classes.bar}>
        <p>{query.data && `${count(tokens.length)} ${tokens.length === 1 ? 'token' : 'tokens'}. A token does no more than its owner may, and only what it names.`}</p>
        <Offer variant="filled" may={query.data?.can?.['create']} onClick={() => dialog.go({ do: 'new' })}>Make a token</Offer>
      </div>
      <Grid
        label="API tokens"
        columns={withActions}
        total={query.data && tokens.length}
        rowAt={(index) => tokens[index]}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        onOpen={(token) => token.can?.['delete']?.allowed && dialog.go({ do: 'revoke', open: token.id })}
        problem={query.error === null ? undefined : asProblem(query.error)}
        onRetry={() => void query.refetch()}
        empty={{ why: 'first', title: 'No token yet', text: 'A token lets a program call the API in your name, until a day that you set.' }}
      />
      <FormDialog opened={dialog.verb === 'new'} onClose={() => dialog.go({})} title="Make a token" action="Make the token" onSubmit={make}>
        <TextInput name="name" label="Name" description="What will use it." required withAsterisk={false} autoComplete="off" autoCapitalize="none" spellCheck={false} data-autofocus />
        <Scopes />
        <Select name="end" label="Ends" data={ends} defaultValue="30" allowDeselect={false} />
      </FormDialog>
      <Modal opened={made !== undefined} onClose={close} title={`The token ${made ?? ''}`} centered size={520} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': 'Close' }}>
        <div className={classes.form}>
          <p>It is shown here once and cannot be read again. Copy it to where it is used.</p>
          {made !== undefined && <Value name={`the token ${made}`} reveal={() => Promise.resolve(secret.current)} />}
          <Button onClick={close}>I have it</Button>
        </div>
      </Modal>
      {open && (
        <Confirm
          level={2}
          opened={dialog.verb === 'revoke'}
          onClose={() => dialog.go({})}
          verb="Revoke"
          object={open.name}
          consequences={['Whatever uses it stops working at once. It cannot be undone.']}
          onConfirm={() => revoke(open)}
        />
      )}
    </>
  )
}
