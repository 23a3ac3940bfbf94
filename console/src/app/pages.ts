import { lazyRouteComponent } from '@tanstack/react-router'

/**
 * Every page behind a session: its address, and where it is written. Each is
 * loaded when it is first opened. Names in addresses are those of the command line.
 */
export const pages = [
  ['/', lazyRouteComponent(() => import('../features/overview/OverviewPage'), 'OverviewPage')],
  ['/clusters', lazyRouteComponent(() => import('../features/clusters/ClustersPage'), 'ClustersPage')],
  ['/clusters/new', lazyRouteComponent(() => import('../features/clusters/ConnectPage'), 'ConnectPage')],
  ['/clusters/$cluster', lazyRouteComponent(() => import('../features/clusters/ClusterPage'), 'ClusterPage')],
  ['/clusters/$cluster/fetch', lazyRouteComponent(() => import('../features/clusters/FetchPage'), 'FetchPage')],
  ['/clusters/$cluster/edit', lazyRouteComponent(() => import('../features/clusters/EditPage'), 'EditPage')],
  ['/secrets', lazyRouteComponent(() => import('../features/secrets/SecretsPage'), 'SecretsPage')],
  ['/secrets/$cluster/$namespace/$name', lazyRouteComponent(() => import('../features/secrets/SecretPage'), 'SecretPage')],
  ['/resources', lazyRouteComponent(() => import('../features/resources/ResourcesPage'), 'ResourcesPage')],
  ['/resources/$resource', lazyRouteComponent(() => import('../features/resources/ResourcePage'), 'ResourcePage')],
  ['/resources/$resource/accounts/$account', lazyRouteComponent(() => import('../features/accounts/AccountPage'), 'AccountPage')],
  ['/resources/$resource/accounts/$account/associate', lazyRouteComponent(() => import('../features/accounts/AssociatePage'), 'AssociatePage')],
  ['/resources/$resource/accounts/$account/reset', lazyRouteComponent(() => import('../features/accounts/ResetPage'), 'ResetPage')],
  ['/runs', lazyRouteComponent(() => import('../features/runs/RunsPage'), 'RunsPage')],
  ['/runs/$run', lazyRouteComponent(() => import('../features/runs/RunPage'), 'RunPage')],
  ['/audit', lazyRouteComponent(() => import('../features/audit/AuditPage'), 'AuditPage')],
  ['/audit/$event', lazyRouteComponent(() => import('../features/audit/EventPage'), 'EventPage')],
  ['/settings', lazyRouteComponent(() => import('../features/settings/SettingsPage'), 'SettingsPage')],
  ['/settings/$section', lazyRouteComponent(() => import('../features/settings/SettingsPage'), 'SettingsPage')],
] as const
