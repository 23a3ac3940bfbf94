// Package inventory knows what there is: clusters and the Secrets in them, resources and the accounts on them, the
// versions of each credential, and which account's credential stands in which Secret key.
//
//	Cluster ──fetch──▶ Resource (kubernetes, <namespace>-<cluster>) ──▶ Secret ──▶ keys
//	Resource (postgresql, …) ──▶ Account ──▶ versions: pending ▶ current ▶ previous ▶ retired
//	Mapping: Account ──▶ (Secret, key)
//
// A Secret is itself an account of its kubernetes resource: it has versions and can be revealed and downloaded.
//
// A fetch brings what a Selection chooses, a sync everything that was ever chosen or stored; both are the same work:
//
//	queued ──▶ running ──▶ done                    list ──▶ compare ──▶ seal ──▶ store ──▶ … ──▶ mark what is gone
//	   ▲          ├──▶ waiting (no answer) ─┐
//	   └──────────┼─────────────────────────┘
//	              └──▶ failed
//
// It may be killed anywhere and is then begun again; what is stored already is found unchanged.
//
// Invariants: removing a cluster or losing a Secret removes no value, it leaves a tombstone; a key is mapped to one
// account at most; a partial list never marks anything as deleted.
package inventory
