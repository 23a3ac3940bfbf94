import { useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import type { ReactNode } from 'react'
import { PageHead } from '../../ui/PageHead'
import { Tabs } from '../../ui/Tabs'
import { Permitted } from './Permitted'

// Loaded when it is first shown.
const Appearance = lazy(() => import('./Appearance').then((m) => ({ default: m.Appearance })))
const Grants = lazy(() => import('./Grants').then((m) => ({ default: m.Grants })))
const Groups = lazy(() => import('./Groups').then((m) => ({ default: m.Groups })))
const Own = lazy(() => import('./Own').then((m) => ({ default: m.Own })))
const ServerInfo = lazy(() => import('./ServerInfo').then((m) => ({ default: m.ServerInfo })))
const Tokens = lazy(() => import('./Tokens').then((m) => ({ default: m.Tokens })))
const Users = lazy(() => import('./Users').then((m) => ({ default: m.Users })))

interface Section {
  /** As in the address; the first has none. */
  key: string
  label: string
  page: ReactNode
}

const sections: readonly Section[] = [
  { key: '', label: 'You', page: <Own /> },
  { key: 'users', label: 'Users', page: <Permitted operation="user.list" what="the list of users"><Users /></Permitted> },
  { key: 'groups', label: 'Groups', page: <Permitted operation="group.list" what="the list of groups"><Groups /></Permitted> },
  { key: 'grants', label: 'Grants', page: <Permitted operation="grant.list" what="the list of all grants"><Grants /></Permitted> },
  { key: 'tokens', label: 'Tokens', page: <Tokens /> },
  { key: 'server', label: 'Server', page: <ServerInfo /> },
  { key: 'appearance', label: 'Appearance', page: <Appearance /> },
]

/** Who may do what through which grant, and the settings of oneself. */
export function SettingsPage() {
  const { section: wanted = '' } = useParams({ strict: false })
  const section = sections.find(({ key }) => key === wanted)
  const title = section === undefined ? 'Settings' : section.key === '' ? 'Settings' : section.label
  return (
    <>
      <PageHead title={title} above={title === 'Settings' ? undefined : [{ label: 'Settings', to: '/settings' }]} />
      <Tabs label="Settings" current={section?.key} tabs={sections.map(({ key, label }) => ({ key, label, to: key === '' ? '/settings' : `/settings/${key}` }))} />
      <Suspense>{section?.page ?? <p>There is no such section of the settings.</p>}</Suspense>
    </>
  )
}
