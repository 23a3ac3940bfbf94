import { useNavigate } from '@tanstack/react-router'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { useList } from '../../app/list'
import { ListGrid } from '../../app/ListGrid'
import type { Column } from '../../ui/columns'
import { accountPlace, PlaceLink } from '../resources/PlaceLink'
import { pageOf } from '../resources/resource'
import { ScheduleBrief } from '../schedule/ScheduleState'
import type { Policy } from './policy'
import classes from './policies.module.css'

type Account = Schemas['Account']

const columns: readonly Column<Account>[] = [
  {
    key: 'name', title: 'Account', width: 200, grow: 2,
    render: (a) => <PlaceLink place={accountPlace({ ...a, accountName: a.name })} inGrid><bdi>{a.name}</bdi> <span className={classes.muted}>on <bdi>{a.resourceName}</bdi></span></PlaceLink>,
  },
  { key: 'next', title: 'Next change', width: 170, render: (a) => <ScheduleBrief account={a} /> },
  { key: 'because', title: 'Because', width: 240, grow: 2, priority: 1, render: ({ policyBecause }) => <bdi className={classes.cell}>{policyBecause}</bdi> },
  { key: 'why', title: 'Why then', width: 180, grow: 1, priority: 2, render: ({ nextWhy }) => <span className={classes.cell}>{nextWhy}</span> },
]

/** The accounts that follow a policy, and why each does. */
export function Followers({ policy }: { policy: Policy }) {
  const api = useApi()
  const navigate = useNavigate()
  const query = { policy: policy.id }
  const list = useList<Account>({
    kind: 'account',
    filter: query,
    load: async (offset, limit, signal) => pageOf(bodyOf(await api.GET('/api/v1/accounts', { params: { query: { ...query, offset, limit } }, signal }))),
  })
  return (
    <ListGrid
      list={list}
      label={`Accounts that follow ${policy.name}`}
      columns={columns}
      idOf={({ id }) => id}
      nameOf={({ name, resourceName }) => `${name} on ${resourceName}`}
      onOpen={(a) => void navigate(accountPlace({ ...a, accountName: a.name }) as never)}
      empty={{ why: 'first', title: 'No account follows it', text: policy.builtIn ? 'It is for accounts that no other policy is for; none is there that you may see.' : 'Assign it to accounts, resources, labels or a rule; an account follows the assignment that is most specific.' }}
    />
  )
}
