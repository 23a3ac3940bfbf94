import { lazyRouteComponent } from '@tanstack/react-router'
import { partMissing } from '../api/problem'

const missing = () => {
  throw partMissing()
}

/**
 * Every page behind a session: its address, and where it is written. Each is
 * loaded when it is first opened. Names in addresses are those of the command line.
 */
export const pages = [
  ['/', lazyRouteComponent(() => import('../features/overview/OverviewPage').catch(missing), 'OverviewPage')],
  ['/clusters', lazyRouteComponent(() => import('../features/clusters/ClustersPage').catch(missing), 'ClustersPage')],
  ['/clusters/new', lazyRouteComponent(() => import('../features/clusters/ConnectPage').catch(missing), 'ConnectPage')],
  ['/clusters/$cluster', lazyRouteComponent(() => import('../features/clusters/ClusterPage').catch(missing), 'ClusterPage')],
  ['/clusters/$cluster/fetch', lazyRouteComponent(() => import('../features/clusters/FetchPage').catch(missing), 'FetchPage')],
  ['/clusters/$cluster/edit', lazyRouteComponent(() => import('../features/clusters/EditPage').catch(missing), 'EditPage')],
  ['/secrets', lazyRouteComponent(() => import('../features/secrets/SecretsPage').catch(missing), 'SecretsPage')],
  ['/secrets/$cluster/$namespace/$name', lazyRouteComponent(() => import('../features/secrets/SecretPage').catch(missing), 'SecretPage')],
  ['/resources', lazyRouteComponent(() => import('../features/resources/ResourcesPage').catch(missing), 'ResourcesPage')],
  ['/resources/$resource', lazyRouteComponent(() => import('../features/resources/ResourcePage').catch(missing), 'ResourcePage')],
  ['/resources/$resource/accounts/$account', lazyRouteComponent(() => import('../features/accounts/AccountPage').catch(missing), 'AccountPage')],
  ['/resources/$resource/accounts/$account/associate', lazyRouteComponent(() => import('../features/accounts/AssociatePage').catch(missing), 'AssociatePage')],
  ['/resources/$resource/accounts/$account/reset', lazyRouteComponent(() => import('../features/accounts/ResetPage').catch(missing), 'ResetPage')],
  ['/resources/$resource/accounts/$account/plan', lazyRouteComponent(() => import('../features/plans/PlanPage').catch(missing), 'PlanPage')],
  ['/runs', lazyRouteComponent(() => import('../features/runs/RunsPage').catch(missing), 'RunsPage')],
  ['/runs/$run', lazyRouteComponent(() => import('../features/runs/RunPage').catch(missing), 'RunPage')],
  ['/schedule', lazyRouteComponent(() => import('../features/schedule/SchedulePage').catch(missing), 'SchedulePage')],
  ['/policies', lazyRouteComponent(() => import('../features/policies/PoliciesPage').catch(missing), 'PoliciesPage')],
  ['/policies/new', lazyRouteComponent(() => import('../features/policies/NewPolicyPage').catch(missing), 'NewPolicyPage')],
  ['/policies/$policy', lazyRouteComponent(() => import('../features/policies/PolicyPage').catch(missing), 'PolicyPage')],
  ['/policies/$policy/edit', lazyRouteComponent(() => import('../features/policies/EditPolicyPage').catch(missing), 'EditPolicyPage')],
  ['/conflicts', lazyRouteComponent(() => import('../features/conflicts/ConflictsPage').catch(missing), 'ConflictsPage')],
  ['/restore', lazyRouteComponent(() => import('../features/restore/RestorePage').catch(missing), 'RestorePage')],
  ['/audit', lazyRouteComponent(() => import('../features/audit/AuditPage').catch(missing), 'AuditPage')],
  ['/audit/$event', lazyRouteComponent(() => import('../features/audit/EventPage').catch(missing), 'EventPage')],
  ['/settings', lazyRouteComponent(() => import('../features/settings/SettingsPage').catch(missing), 'SettingsPage')],
  ['/settings/$section', lazyRouteComponent(() => import('../features/settings/SettingsPage').catch(missing), 'SettingsPage')],
] as const
