import { Checkbox } from '@mantine/core'
import { IconCheck, IconChevronDown, IconChevronRight, IconLock } from '@tabler/icons-react'
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react'
import { count, middle } from '../../ui/format'
import { iconProps } from '../../ui/icons'
import { Time } from '../../ui/Time'
import { InGrid } from '../../ui/ingrid'
import { useRowWindow } from '../../ui/rowWindow'
import { type Choice, type Group, isChosen, type Remote, refOf, type Tick, tickOf } from './choice'
import classes from './SecretTree.module.css'

/** A line of the tree as it is drawn: a namespace, or a Secret of an open one. */
export type Line = { kind: 'namespace'; group: Group; open: boolean } | { kind: 'secret'; secret: Remote; group: Group }

/** The lines of the namespaces, and of the Secrets in those that are open. */
export function linesOf(groups: readonly Group[], isOpen: (name: string) => boolean): Line[] {
  return groups.flatMap((group): Line[] => {
    const open = group.secrets.length > 0 && isOpen(group.name)
    return [{ kind: 'namespace', group, open }, ...(open ? group.secrets.map((secret): Line => ({ kind: 'secret', secret, group })) : [])]
  })
}

export interface SecretTreeProps {
  groups: readonly Group[]
  choice: Choice
  /** A filter is set: all namespaces are open unless they were closed. */
  open: boolean
  onNamespace: (group: Group) => void
  onSecret: (secret: Remote) => void
}

const rowHeight = 36
const aria = { on: true, some: 'mixed', off: false } as const

/**
 * Namespaces and their Secrets, each with a box. Of any number only those on the
 * screen are drawn. One tab stop: arrows move, right and left open and close,
 * Space turns the box.
 */
export function SecretTree({ groups, choice, open, onNamespace, onSecret }: SecretTreeProps) {
  // Those whose state differs from what the filter gives all of them.
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set())
  const [active, setActive] = useState(0)
  const id = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [wasOpen, setWasOpen] = useState(open)
  if (wasOpen !== open) {
    setWasOpen(open)
    setTurned(new Set())
    setActive(0)
  }
  const lines = useMemo(() => linesOf(groups, (name) => turned.has(name) !== open), [groups, turned, open])
  const rows = useRowWindow(scroller, { count: lines.length, height: rowHeight })
  const at = Math.max(0, Math.min(active, lines.length - 1))
  useEffect(() => {
    scroller.current?.scrollTo?.({ top: 0 })
  }, [open])
  const turn = (name: string) => {
    const next = new Set(turned)
    if (!next.delete(name)) next.add(name)
    setTurned(next)
  }
  const tick = (line: Line) => (line.kind === 'secret' ? onSecret(line.secret) : line.group.problem ? undefined : onNamespace(line.group))
  const go = (to: number) => {
    const index = Math.max(0, Math.min(lines.length - 1, to))
    setActive(index)
    rows.show(index)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const line = lines[at]
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return
    const isOpen = line.kind === 'namespace' && line.open
    if (event.key === 'ArrowDown') go(at + 1)
    else if (event.key === 'ArrowUp') go(at - 1)
    else if (event.key === 'Home') go(0)
    else if (event.key === 'End') go(lines.length - 1)
    else if (event.key === 'PageDown') go(at + 12)
    else if (event.key === 'PageUp') go(at - 12)
    else if (event.key === ' ') tick(line)
    else if (event.key === 'ArrowRight' && line.kind === 'namespace' && !isOpen) turn(line.group.name)
    else if (event.key === 'ArrowRight' && isOpen) go(at + 1)
    else if (event.key === 'ArrowLeft' && isOpen) turn(line.group.name)
    else if (event.key === 'ArrowLeft' && line.kind === 'secret') go(lines.findIndex((other) => other.kind === 'namespace' && other.group.name === line.group.name))
    else if (event.key === 'Enter' && line.kind === 'namespace') turn(line.group.name)
    else return
    event.preventDefault()
  }
  return (
    <div
      ref={scroller}
      role="tree"
      aria-label="Secrets by namespace"
      aria-multiselectable
      tabIndex={0}
      aria-activedescendant={lines.length > 0 ? `${id}-${at}` : undefined}
      className={classes.tree}
      onKeyDown={onKeyDown}
      onScroll={rows.onScroll}
    >
      <InGrid value>
        <div role="presentation" className={classes.body} style={{ height: lines.length * rowHeight }}>
          {lines.slice(rows.first, rows.end).map((line, i) => {
            const index = rows.first + i
            const state: Tick = line.kind === 'namespace' ? tickOf(choice, line.group) : isChosen(choice, line.secret) ? 'on' : 'off'
            const isNamespace = line.kind === 'namespace'
            const denied = isNamespace && line.group.problem !== undefined && line.group.problem !== ''
            return (
              <div
                key={isNamespace ? line.group.name : refOf(line.secret)}
                id={`${id}-${index}`}
                role="treeitem"
                aria-level={isNamespace ? 1 : 2}
                aria-expanded={isNamespace && line.group.secrets.length > 0 ? line.open : undefined}
                aria-checked={denied ? undefined : aria[state]}
                aria-selected={index === at}
                aria-disabled={denied || undefined}
                data-active={index === at || undefined}
                data-level={isNamespace ? 1 : 2}
                className={classes.row}
                style={{ transform: `translateY(${index * rowHeight}px)` }}
                onClick={() => {
                  setActive(index)
                  if (isNamespace) turn(line.group.name)
                  else tick(line)
                }}
              >
                {isNamespace ? <Arrow line={line} /> : null}
                {denied ? (
                  <IconLock {...iconProps} className={classes.lock} />
                ) : (
                  <span className={classes.box} onClick={(event) => { event.stopPropagation(); setActive(index); tick(line) }}>
                    <Checkbox size="xs" tabIndex={-1} aria-hidden readOnly checked={state === 'on'} indeterminate={state === 'some'} styles={{ root: { pointerEvents: 'none' } }} />
                  </span>
                )}
                {isNamespace ? <NamespaceFacts group={line.group} choice={choice} /> : <SecretFacts secret={line.secret} />}
              </div>
            )
          })}
        </div>
      </InGrid>
    </div>
  )
}

function Arrow({ line }: { line: Line & { kind: 'namespace' } }) {
  if (line.group.secrets.length === 0) return <span className={classes.arrow} />
  const Icon = line.open ? IconChevronDown : IconChevronRight
  return <Icon {...iconProps} className={classes.arrow} />
}

function NamespaceFacts({ group, choice }: { group: Group; choice: Choice }) {
  const chosen = group.secrets.reduce((sum, secret) => sum + (isChosen(choice, secret) ? 1 : 0), 0)
  const fetched = group.secrets.reduce((sum, secret) => sum + (secret.fetched ? 1 : 0), 0)
  return (
    <>
      <bdi className={classes.name} title={group.name}>{middle(group.name, 48)}</bdi>
      {group.problem ? (
        <span className={classes.problem}>{group.problem}</span>
      ) : (
        <span className={classes.facts}>
          {group.secrets.length === 0 ? 'no Secrets' : `${count(chosen)} of ${count(group.secrets.length)} chosen`}
          {fetched > 0 && <> · {count(fetched)} here</>}
        </span>
      )}
    </>
  )
}

function SecretFacts({ secret }: { secret: Remote }) {
  return (
    <>
      <bdi className={classes.name} title={secret.name}>{middle(secret.name, 56)}</bdi>
      {secret.fetched && <span className={classes.here}><IconCheck {...iconProps} size={14} /> here</span>}
      <span className={classes.wide} data-why={secret.leftOut ? '' : undefined} title={secret.leftOut}>{secret.leftOut || secret.type}</span>
      <span className={classes.keys}>{secret.keys} {secret.keys === 1 ? 'key' : 'keys'}</span>
      <span className={classes.age}><Time at={secret.createdAt} /></span>
    </>
  )
}
