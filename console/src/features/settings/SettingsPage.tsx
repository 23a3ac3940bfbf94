import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { PageHead } from '../../ui/PageHead'
import { Appearance } from './Appearance'
import { Grants } from './Grants'
import { Groups } from './Groups'
import { Own } from './Own'
import { Permitted } from './Permitted'
import { ServerInfo } from './ServerInfo'
import classes from './Settings.module.css'
import { Tokens } from './Tokens'
import { Users } from './Users'

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
  { key: 'grants', label: 'Grants', page: <Permitted operation="grant.list" what="the list of grants"><Grants /></Permitted> },
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
      <nav aria-label="Settings" className={classes.nav}>
        <ul>
          {sections.map(({ key, label }) => (
            <li key={key}>
              <Link to={key === '' ? '/settings' : `/settings/${key}`} activeOptions={{ exact: true }} activeProps={{ 'aria-current': undefined }} aria-current={key === section?.key ? 'page' : undefined}>{label}</Link>
            </li>
          ))}
        </ul>
      </nav>
      {section?.page ?? <p>There is no such section of the settings.</p>}
    </>
  )
}
