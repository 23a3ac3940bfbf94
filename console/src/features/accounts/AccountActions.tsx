import { ActionIcon, Menu, PasswordInput, TextInput } from '@mantine/core'
import { IconDots } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { changedMeanwhile, ifMatch } from '../../api/client'
import { keys } from '../../api/keys'
import { asProblem, Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { BothSides } from '../../ui/BothSides'
import { Confirm } from '../../ui/Confirm'
import { iconProps } from '../../ui/icons'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { Offer } from '../../ui/Offer'
import { type Contested, contested, type Side } from '../../ui/sides'
import { accountPlace, resourcePlace } from '../resources/PlaceLink'
import type { Account } from './account'
import classes from './account.module.css'
import { EditStrategy } from './EditStrategy'
import { useChange } from './useChange'

/** What a check found, as the problem that it is when the login was not proved. */
export function verifyProblem({ state, reason, cure }: Schemas['Verified']): Problem | undefined {
  if (state === 'verified') return undefined
  return new Problem({
    type: 'not-verified',
    title: state === 'unverified' ? 'The login could not be tried' : 'The login does not work',
    status: 0,
    cause: reason,
    cure,
    unchanged: 'A check changes neither the system nor what is stored.',
  })
}

/** The buttons of an account: reset, verify, and what is done seldom. */
export function AccountActions({ account, type, verify }: { account: Account; type: Schemas['Type'] | undefined; verify: () => Promise<Schemas['Verified']> }) {
  const client = useQueryClient()
  const say = useToast()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const can = account.can ?? {}
  const check = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      const found = await verify()
      setProblem(verifyProblem(found))
      if (found.state === 'verified') say(`${account.name} logs in`)
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: keys.one('account', account.id) })
    }
  }
  const reset = accountPlace({ ...account, accountName: account.name })
  return (
    <>
      <Offer may={can['reset']} variant="filled" to={{ ...reset, to: `${reset.to}/reset` }}>Reset password</Offer>
      <Offer may={can['plan']} to={{ ...reset, to: `${reset.to}/plan` }}>Plan</Offer>
      <Offer may={can['verify']} loading={busy} onClick={() => void check()}>Verify</Offer>
      <More account={account} type={type} />
      {problem && <div className={classes.found}><ProblemView problem={problem} onDismiss={() => setProblem(undefined)} /></div>}
    </>
  )
}

type Asked = 'value' | 'rename' | 'strategy' | 'delete'

function More({ account, type }: { account: Account; type: Schemas['Type'] | undefined }) {
  const [asked, setAsked] = useState<Asked>()
  const can = account.can ?? {}
  const item = (what: Asked, verb: string, text: string) => {
    const may = can[verb]
    return (
      <Menu.Item data-disabled={may?.allowed ? undefined : true} aria-disabled={!may?.allowed} closeMenuOnClick={may?.allowed} onClick={() => may?.allowed && setAsked(what)}>
        {text}
        {!may?.allowed && <span className={classes.reason}>{may?.reason || 'You may not do this.'}</span>}
      </Menu.Item>
    )
  }
  const more = useRef<HTMLButtonElement>(null)
  // The entry of the menu that led to a dialog is gone when the dialog closes.
  const close = () => {
    setAsked(undefined)
    more.current?.focus()
  }
  return (
    <>
      <Menu position="bottom-end" width={280}>
        <Menu.Target>
          <ActionIcon ref={more} variant="default" size={32} aria-label={`More for ${account.name}`}><IconDots {...iconProps} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {item('value', 'update', 'Store a value…')}
          {item('rename', 'update', 'Rename…')}
          {item('strategy', 'update', 'Strategy…')}
          <Menu.Divider />
          {item('delete', 'delete', 'Delete…')}
        </Menu.Dropdown>
      </Menu>
      <StoreValue account={account} opened={asked === 'value'} onClose={close} />
      <Rename account={account} opened={asked === 'rename'} onClose={close} />
      <EditStrategy account={account} type={type} opened={asked === 'strategy'} onClose={close} />
      <Delete account={account} opened={asked === 'delete'} onClose={close} />
    </>
  )
}

interface Dialog {
  account: Account
  opened: boolean
  onClose: () => void
}

function StoreValue({ account, opened, onClose }: Dialog) {
  const change = useChange(account)
  const say = useToast()
  const api = useApi()
  const input = useRef<HTMLInputElement>(null)
  // The account as it was when the dialog was opened: what came since must not be stored over unseen.
  const [base, setBase] = useState({ opened: false, account, newer: false })
  if (opened !== base.opened) setBase({ opened, account, newer: false })
  const store = async () => {
    try {
      // Straight from the field into the request, and into no state.
      await change({ value: input.current?.value ?? '' }, base.account.rev)
    } catch (error) {
      if (changedMeanwhile(error)) {
        const now = bodyOf(await api.GET('/api/v1/accounts/{account}', { params: { path: { account: account.id } } }))
        setBase({ opened, account: now, newer: now.current !== base.account.current })
      }
      throw error
    }
    if (input.current) input.current.value = ''
    say('Stored')
  }
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      level={1}
      verb="Store a value for"
      object={account.name}
      consequences={[
        'For a password that was changed elsewhere. The system itself is not touched.',
        ...(base.newer ? [`Somebody stored v${base.account.current} while this was open; yours would replace it.`] : []),
        `It becomes v${base.account.current + 1}, unverified until a login proves it; mapped keys are behind until the next reset.`,
      ]}
      onConfirm={store}
    >
      <PasswordInput ref={input} label="Value" required withAsterisk={false} autoComplete="new-password" />
    </Confirm>
  )
}

/** What the name was when the dialog was opened, and what was typed and stored when somebody else was faster. */
interface Renaming {
  opened: boolean
  /** What the dialog is called, whatever others make of the name meanwhile. */
  asked: string
  base: Account
  conflict?: Contested
}

function Rename({ account, opened, onClose }: Dialog) {
  const api = useApi()
  const change = useChange(account)
  const navigate = useNavigate()
  const input = useRef<HTMLInputElement>(null)
  const [renaming, setRenaming] = useState<Renaming>({ opened: false, asked: account.name, base: account })
  if (opened !== renaming.opened) setRenaming(opened ? { opened, asked: account.name, base: account } : { ...renaming, opened })
  const { base, conflict } = renaming
  const rename = async () => {
    const name = input.current?.value.trim() ?? ''
    if (name === base.name && conflict === undefined) return
    try {
      if (name !== base.name) await change({ name }, base.rev)
    } catch (error) {
      if (changedMeanwhile(error)) {
        const now = bodyOf(await api.GET('/api/v1/accounts/{account}', { params: { path: { account: account.id } } }))
        setRenaming({ ...renaming, base: now, conflict: { key: 'name', label: 'Name', base: base.name, mine: name, theirs: now.name } })
      }
      throw error
    }
    await navigate({ ...accountPlace({ ...account, accountName: name }), search: true, replace: true } as never)
  }
  const choose = (_: string, side: Side) => {
    if (input.current && conflict) input.current.value = conflict[side]
  }
  return (
    <Confirm opened={opened} onClose={onClose} level={1} verb="Rename" object={renaming.asked} consequences={['The name is that of the login. Keyturn logs in under the new one from now on.']} onConfirm={rename}>
      {conflict && <BothSides key={base.rev} fields={contested([conflict])} onChoose={choose} />}
      <TextInput ref={input} label="New name" defaultValue={renaming.asked} required withAsterisk={false} maxLength={253} autoComplete="off" autoCapitalize="none" spellCheck={false} />
    </Confirm>
  )
}

function Delete({ account, opened, onClose }: Dialog) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const mapped = Object.values(account.mappings ?? {}).reduce((sum, n) => sum + n, 0)
  const remove = async () => {
    await api.DELETE('/api/v1/accounts/{account}', { params: { path: { account: account.id }, header: ifMatch(`"${account.rev}"`) } })
    await navigate(resourcePlace(account.resourceName) as never)
    client.removeQueries({ queryKey: keys.one('account', account.id) })
    for (const kind of ['account', 'mapping', 'resource'] as const) void client.invalidateQueries({ queryKey: [kind] })
  }
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      level={3}
      type={account.name}
      verb="Delete"
      object={account.name}
      consequences={[
        `${account.current === 0 ? 'It has no versions.' : 'All its versions are forgotten and cannot be brought back from Keyturn.'}`,
        mapped === 0 ? 'No Secret key is mapped to it.' : `${mapped} ${mapped === 1 ? 'mapping ends; the key keeps its value' : 'mappings end; the keys keep their values'}.`,
        'The login on the system stays as it is.',
      ]}
      onConfirm={remove}
    />
  )
}
