import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { useLocation, useNavigate } from '@tanstack/react-router'
import { IconSearch } from '@tabler/icons-react'
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from 'react'
import { useWho } from '../../app/api'
import { readTyped } from '../../ui/filter'
import { iconProps } from '../../ui/icons'
import type { EntryKey } from '../../ui/nav'
import type { Permission } from '../../ui/Offer'
import { actionsFor, type Jump, matching, objectAt, once, pagesFor, verbsAt } from './palette'
import classes from './Palette.module.css'
import { useObjects } from './useObjects'

export interface PaletteProps {
  opened: boolean
  onClose: () => void
  /** What the person may open. */
  visible: readonly EntryKey[]
  /** Where one jumped before, the last first. */
  recent: readonly Jump[]
  onJump: (jump: Jump) => void
}

const restMs = 150

/** Jumps to any page, object or form by a part of its name. Nothing is changed from here. */
export function Palette({ opened, onClose, ...rest }: PaletteProps) {
  return (
    <Modal opened={opened} onClose={onClose} withCloseButton={false} size={560} padding={0} yOffset="12dvh" attributes={{ content: { 'aria-label': 'Search or jump to' } }} transitionProps={{ duration: 0 }}>
      <Search onClose={onClose} {...rest} />
    </Modal>
  )
}

/** The `can` of the object of the open page, as the page has read it; nothing is asked for here. */
function useCanHere(path: string): Readonly<Record<string, Permission | undefined>> {
  const client = useQueryClient()
  return useMemo(() => {
    const at = objectAt(path)
    if (at === undefined) return {}
    type Named = { name?: string; resourceName?: string; can?: Record<string, Permission> } | undefined
    const found = client.getQueriesData<Named>({ queryKey: [at.kind] }).map(([, data]) => data)
    return found.find((data) => data?.name === at.name && (at.resource === undefined || data.resourceName === at.resource))?.can ?? {}
  }, [client, path])
}

function Search({ onClose, visible, recent, onJump }: Omit<PaletteProps, 'opened'>) {
  const { can } = useWho()
  const { pathname } = useLocation()
  const navigate = useNavigate()
  const canHere = useCanHere(pathname)
  const [typed, setTyped] = useState('')
  const [active, setActive] = useState(0)
  const [rested] = useDebouncedValue(typed, restMs)
  const read = readTyped(rested, [])
  const objects = useObjects(read.kind === 'text' ? read.text : '')
  const id = useId()

  const groups = once([
    { label: 'Recent', jumps: matching(recent, typed) },
    { label: 'Here', jumps: matching(verbsAt(pathname, canHere), typed) },
    { label: 'Pages', jumps: matching(pagesFor(visible, can), typed) },
    { label: 'Begin', jumps: matching(actionsFor(can), typed) },
    ...objects.groups,
  ])
  const flat = groups.flatMap(({ jumps }) => jumps)
  const at = Math.min(active, flat.length - 1)
  const idOf = (jump: Jump) => `${id}-${jump.id}`
  const chosen = flat[at]
  const chosenId = chosen && idOf(chosen)
  useEffect(() => {
    if (chosenId !== undefined) document.getElementById(chosenId)?.scrollIntoView({ block: 'nearest' })
  }, [chosenId])

  const follow = (jump: Jump) => {
    onClose()
    onJump(jump)
    void navigate({ to: jump.place.to as never, params: jump.place.params as never, search: (jump.place.search ?? {}) as never })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const last = flat.length - 1
    const steps: Record<string, number> = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, PageDown: Math.min(last, at + 8), PageUp: Math.max(0, at - 8) }
    const to = steps[event.key]
    if (to !== undefined) setActive(to)
    else if (event.key === 'Enter' && chosen) follow(chosen)
    else return
    event.preventDefault()
  }
  const settled = typed === rested && !objects.loading
  const note = read.kind === 'refused' && typed === rested ? read.why : settled && flat.length === 0 ? `Nothing that you may open has “${typed.trim()}” in its name.` : ''
  return (
    <>
      <div className={classes.field}>
        <IconSearch {...iconProps} />
        <input
          data-autofocus=""
          role="combobox"
          aria-label="Search or jump to"
          aria-expanded={flat.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={chosenId}
          placeholder="A part of any name"
          value={typed}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            setActive(0)
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id={`${id}-list`} role="listbox" aria-label="Places" aria-busy={objects.loading} className={classes.list} hidden={flat.length === 0}>
        {groups.map(({ label, jumps }) => (
          <div key={label} role="group" aria-label={label}>
            <p className={classes.group} aria-hidden>{label}</p>
            {jumps.map((jump) => (
              // The field keeps the focus: a click must not take it before it is followed.
              <div key={jump.id} id={idOf(jump)} role="option" aria-selected={jump === chosen} className={classes.jump} onMouseDown={(event) => event.preventDefault()} onClick={() => follow(jump)}>
                <bdi>{jump.label}</bdi>
                {jump.hint !== undefined && <span className={classes.hint}><bdi>{jump.hint}</bdi></span>}
              </div>
            ))}
          </div>
        ))}
      </div>
      <p className={classes.note}>{note}</p>
      <p role="status" className={classes.spoken}>{note || (settled ? `${flat.length} found` : '')}</p>
      <div className={classes.keys} aria-hidden><span>↑ ↓ choose</span><span>Enter open</span><span>Esc close</span></div>
    </>
  )
}
