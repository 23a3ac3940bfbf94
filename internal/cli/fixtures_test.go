package cli

import (
	"maps"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
)

// fixtures is a small company: a cluster that works and one that does not, a database and its application role.
func fixtures() map[string]any {
	all := clusterFixtures()
	maps.Copy(all, accountFixtures())
	maps.Copy(all, policyFixtures())
	maps.Copy(all, peopleFixtures())
	maps.Copy(all, restoreFixtures())
	maps.Copy(all, keyFixtures())
	maps.Copy(all, duplicateFixtures())
	return all
}

func keyFixtures() map[string]any {
	keys := []client.DataKey{{ID: "5", State: "active", MadeAt: ago(time.Minute), Records: 12, Uses: 65536},
		{ID: "4", State: "retired", MadeAt: ago(50 * time.Hour), RetiredAt: agoP(time.Minute), Records: 3, Uses: 131072},
		{ID: "1", State: "retired", MadeAt: ago(400 * 24 * time.Hour), RetiredAt: agoP(50 * time.Hour), Uses: 2147483648}}
	return map[string]any{"GET /keys": map[string]any{"items": keys}, "POST /keys/rotate": client.KeyRotation{Active: "5", Items: keys}, "DELETE /keys/1": "",
		"POST /keys/root": client.RootChange{Changed: true, File: "/var/lib/keyturn/root.key", Old: "/var/lib/keyturn/root.key.old-20270102T120000Z"}}
}

func restoreFixtures() map[string]any {
	r := client.Restore{State: "restored", SeenIn: "cluster prod-eu", FoundAt: agoP(time.Hour), Entries: 90, Had: 120,
		Counts: map[string]int64{"unresolved": 1, "adopted": 1},
		Accounts: []client.RestoredAccount{
			{ID: "a2", Name: "orders-db/admin", State: "unresolved", Reason: "The system refuses every value that is known: version 2 (current)", Cure: "Set it and store it",
				Tried: []string{"version 2 (current)"}, At: agoP(time.Minute)},
			{ID: "a1", Name: "orders-db/app", State: "adopted", Reason: "The value in shop/web key PASSWORD of cluster prod-eu logs in", Tried: []string{}, Run: "run-1", At: agoP(time.Minute)}},
		Witnesses: []client.RestoreWitness{{Cluster: "prod-eu", Entries: 120}, {Cluster: "stage", Problem: "It does not answer"}},
		Ended:     []client.EndedRestore{{FoundAt: ago(400 * 24 * time.Hour), EndedAt: ago(399 * 24 * time.Hour), EndedBy: "ann", Entries: 5, Had: 7}}}
	over := client.Restore{State: "normal", Counts: map[string]int64{}, Accounts: []client.RestoredAccount{}, Witnesses: []client.RestoreWitness{}, Ended: r.Ended}
	return map[string]any{"GET /restore": r, "POST /restore/check": r, "POST /restore/accept": over}
}

func clusterFixtures() map[string]any {
	scope := client.Scope{Access: "read-write"}
	fetch := client.Fetch{ID: "f1", ClusterID: "c1", Kind: "fetch", State: "done", Total: 12, Added: 10, Unchanged: 1, Skipped: 1,
		Problems: []client.FetchProblem{{Namespace: "shop", Name: "big", Reason: "it is gone"}}, Actor: "ann", CreatedAt: ago(time.Hour)}
	eu := client.Cluster{ID: "c1", Name: "prod-eu", Server: "https://eu.example:6443", Scope: scope, UID: "u-1", Version: "v1.36.3",
		State: "connected", CheckedAt: agoP(time.Minute), SyncedAt: agoP(90 * time.Second), CreatedAt: ago(50 * time.Hour), Rev: 4,
		Resources: 2, Secrets: 12, Mapped: 3, Drifted: 1, Fetch: &fetch}
	us := client.Cluster{ID: "c2", Name: "a-cluster-with-a-name-as-long-as-they-come-in-real-companies", Server: "https://us.example:6443",
		Scope: client.Scope{Namespaces: []string{"shop", "pay"}, Access: "read-only"}, Version: "v1.34.0-eks-0123456", State: "unreachable",
		Reason: "no answer\x1b[31m from us.example", CreatedAt: ago(400 * 24 * time.Hour), Rev: 1}
	report := client.Report{OK: true, Version: "v1.36.3", User: "system:serviceaccount:keyturn:keyturn", Checks: []client.Check{
		{Name: "host", State: "done", Steps: []client.CheckStep{{Name: "DNS", State: "done", Detail: "10.0.0.1"}}}}}
	return map[string]any{
		"GET /health":                 client.Health{Version: "1.2.3"},
		"GET /connector":              "kind: Namespace\n",
		"GET /clusters":               page(eu, us),
		"GET /clusters/prod-eu":       eu,
		"POST /clusters":              eu,
		"POST /clusters/test":         report,
		"POST /clusters/prod-eu/test": report,
		"PATCH /clusters/c1":          eu,
		"DELETE /clusters/c1":         "",
		"GET /clusters/prod-eu/available": client.RemoteSecrets{Namespaces: []client.RemoteNamespace{{Name: "shop"}, {Name: "pay", Problem: "may not be listed"}},
			Items: []client.RemoteSecret{{Namespace: "shop", Name: "web", Type: "Opaque", Keys: 2, CreatedAt: ago(50 * time.Hour), Fetched: true},
				{Namespace: "shop", Name: "sh.helm.release.v1.web.v1", Type: "helm.sh/release.v1", Keys: 1, CreatedAt: ago(time.Hour), LeftOut: "a Helm release"}}, Truncated: true},
		"POST /clusters/prod-eu/fetches": fetch,
		"POST /clusters/prod-eu/sync":    fetch,
		"GET /clusters/c1/fetches/f1":    fetch,
	}
}

func accountFixtures() map[string]any {
	shop := client.Resource{ID: "r1", Name: "shop-prod-eu", Type: "kubernetes", ClusterID: "c1", ClusterName: "prod-eu", Namespace: "shop",
		Accounts: 12, States: map[string]int64{"in_sync": 10, "drift": 2}, CreatedAt: ago(50 * time.Hour), Rev: 1}
	db := client.Resource{ID: "r2", Name: "orders-db", Type: "postgresql", Settings: map[string]string{"host": "db.example", "port": "5432"},
		ReconcileAccountID: "a2", ReconcileAccountName: "admin", Accounts: 2, States: map[string]int64{"verified": 1, "unverified": 1},
		CreatedAt: ago(30 * time.Hour), Rev: 3}
	app := client.Account{ID: "a1", Name: "app", ResourceID: "r2", ResourceName: "orders-db", ResourceType: "postgresql", State: "verified",
		VerifiedAt: agoP(time.Minute), Current: 3, ChangedAt: agoP(2 * time.Hour), Mappings: map[string]int64{"in_sync": 1, "behind": 1}, Readiness: "ready", RehearsedAt: agoP(time.Hour),
		CreatedAt: ago(30 * time.Hour), Rev: 5}
	mapping := client.Mapping{ID: "m1", AccountID: "a1", AccountName: "app", ResourceID: "r2", ResourceName: "orders-db", ClusterID: "c1",
		ClusterName: "prod-eu", SecretID: "s1", Namespace: "shop", Secret: "web", Key: "PASSWORD", OnWrite: "restart", State: "in_sync", Written: 3, Current: 3,
		CreatedBy: "ann", CreatedAt: ago(time.Hour), Rev: 2}
	web := client.Secret{ID: "s1", ClusterID: "c1", ClusterName: "prod-eu", ResourceID: "r1", ResourceName: "shop-prod-eu", Namespace: "shop",
		Name: "web", Type: "Opaque", Labels: map[string]string{"app": "web"}, Size: 1536, KeyCount: 2, MappedKeys: 1, Current: 2,
		State: "in_sync", CreatedAt: ago(50 * time.Hour), SeenAt: ago(90 * time.Second), Rev: 2}
	webKeys := web
	webKeys.Keys = []client.Key{{Name: "PASSWORD", Size: 64, Mapping: &mapping}, {Name: "tls.key", Size: 4096}}
	run := theRun()
	return map[string]any{
		"GET /types":                         itemsOf(client.Type{Type: "postgresql", Name: "PostgreSQL", Description: "A role.", Fields: []client.Field{{Name: "host", Required: true}, {Name: "port"}}}),
		"GET /resources":                     page(shop, db),
		"GET /resources/orders-db":           db,
		"POST /resources":                    db,
		"PATCH /resources/r2":                db,
		"DELETE /resources/r2":               "",
		"POST /resources/orders-db/accounts": app,
		"GET /accounts": func(r *http.Request) any {
			if q := r.URL.Query(); q.Get("resource") == "shop-prod-eu" || q.Get("name") != "" && q.Get("name") != "app" {
				return page[client.Account]()
			}
			return page(app)
		},
		"GET /accounts/a1":            app,
		"PATCH /accounts/a1":          app,
		"DELETE /accounts/a1":         "",
		"GET /accounts/a1/versions":   itemsOf(client.Version{Number: 3, Stage: "current", Source: "generated", Actor: "ann", CreatedAt: ago(2 * time.Hour)}, client.Version{Number: 2, Stage: "previous", Source: "typed", Actor: "bob", CreatedAt: ago(20 * time.Hour)}),
		"POST /accounts/a1/reveal":    client.Revealed{Version: 3, Value: client.NewValue(canary)},
		"POST /accounts/s1/reveal":    client.Revealed{Version: 2, Value: client.NewValue("AP8B"), Base64: true},
		"POST /accounts/a1/reset":     run,
		"GET /accounts/a1/plan":       plan(),
		"GET /accounts/a1/rehearsal":  rehearsal("not_ready"),
		"POST /accounts/a1/rehearsal": rehearsal("running"),
		"POST /accounts/a1/verify":    client.Verified{State: "verified", At: ago(0)},
		"GET /secrets": func(r *http.Request) any {
			if q := r.URL.Query(); q.Get("resource") == "orders-db" || q.Get("name") != "" && q.Get("name") != "web" {
				return page[client.Secret]()
			}
			return page(web)
		},
		"GET /secrets/s1":                   webKeys,
		"POST /secrets/s1/restore":          client.SecretRestored{Version: 1, Keys: []client.KeyChange{{Name: "PASSWORD", Change: "changed"}, {Name: "tls.key", Change: "removed"}}},
		"GET /secrets/s1/versions":          page(history()...),
		"POST /secrets/s1/download":         `{"kind":"Secret","data":{"PASSWORD":"` + canary + `"}}`,
		"GET /mappings":                     page(mapping),
		"GET /mappings/m1":                  mapping,
		"POST /mappings":                    mapping,
		"PATCH /mappings/m1":                mapping,
		"DELETE /mappings/m1":               "",
		"GET /runs":                         page(run),
		"GET /runs/" + runID:                run,
		"POST /runs/" + runID + "/resume":   run,
		"POST /runs/" + runID + "/rollback": run,
		"POST /runs/" + runID + "/cancel":   run,
	}
}

func peopleFixtures() map[string]any {
	ann := client.User{ID: "u1", Name: "ann", DisplayName: "Ann A.", Role: "administrator", LastLoginAt: agoP(time.Hour), CreatedAt: ago(90 * time.Hour), Rev: 1}
	ops := client.Group{ID: "g1", Name: "ops", Description: "On call", Members: []client.Member{{ID: "u1", Name: "ann"}}, CreatedAt: ago(time.Hour), Rev: 6}
	grant := client.Grant{ID: "gr1", SubjectKind: "group", SubjectID: "g1", SubjectName: "ops", ObjectKind: "resource", ObjectID: "r2", ObjectName: "orders-db",
		Level: "use", ExpiresAt: agoP(-24 * time.Hour), GrantedBy: "ann", CreatedAt: ago(time.Hour), Rev: 1}
	token := client.Token{ID: "t1", Name: "ci", Owner: client.Member{ID: "u1", Name: "ann"}, Scopes: []string{"account.reveal"}, ExpiresAt: ago(-90 * 24 * time.Hour), CreatedAt: ago(time.Hour)}
	made := token
	made.Secret = client.NewValue(canary)
	session := client.Session{User: ann, Kind: "user", ExpiresAt: agoP(-12 * time.Hour), Can: client.Can{}}
	opened := session
	opened.Secret = client.NewValue(canary)
	event := client.AuditEvent{ID: "e1", Seq: 41, At: ago(time.Minute), Actor: "ann", Action: "account.reveal", Kind: "account", Object: "orders-db/app",
		Outcome: "refused", Reason: "no grant", Address: "192.0.2.1"}
	return map[string]any{
		"GET /session":             session,
		"POST /session":            opened,
		"POST /setup":              opened,
		"DELETE /session":          "",
		"GET /audit":               page(event),
		"POST /audit/verify":       client.AuditVerification{State: "intact", Entries: 42, Bad: -1, Head: "keyturn\n42\nabc=\n", Key: "keyturn+key", SignedAt: agoP(time.Second)},
		"GET /audit/export":        "{}\n",
		"GET /users":               page(ann),
		"GET /users/ann":           ann,
		"POST /users":              ann,
		"PATCH /users/u1":          ann,
		"DELETE /users/u1":         "",
		"POST /users/ann/password": "",
		"GET /groups":              page(ops),
		"GET /groups/ops":          ops,
		"POST /groups":             ops,
		"PATCH /groups/g1":         ops,
		"DELETE /groups/g1":        "",
		"GET /grants":              page(grant),
		"POST /grants":             grant,
		"DELETE /grants/gr1":       "",
		"GET /tokens":              page(token),
		"POST /tokens":             made,
		"DELETE /tokens/t1":        "",
	}
}

// theRun is one that ended well.
func theRun() client.Run {
	return client.Run{ID: runID, AccountID: "a1", AccountName: "app", ResourceID: "r2", ResourceName: "orders-db", State: "done", Step: "retired",
		New: 4, Old: 3, Proved: true, Keys: 2, KeysProved: 2, Actor: "ann", CreatedAt: ago(time.Minute), UpdatedAt: ago(time.Second),
		EndedAt: agoP(time.Second), Rev: 9,
		Steps: []client.RunStep{{Name: "minted", State: "done", At: agoP(50 * time.Second)}, {Name: "applied", State: "done", At: agoP(40 * time.Second), Note: "with its own login"},
			{Name: "rolled_out", State: "done", At: agoP(5 * time.Second), Note: "No pod of 1 workload is left from before the write."}},
		Writes:   []client.RunWrite{{MappingID: "m1", Cluster: "prod-eu", Namespace: "shop", Secret: "web", Key: "PASSWORD", State: "in_sync", At: agoP(6 * time.Second)}},
		Rollouts: []client.RunRollout{{Cluster: "prod-eu", Kind: "Deployment", Namespace: "shop", Name: "api", State: "done", Wanted: 3, New: 3, Ready: 3, At: agoP(5 * time.Second)}},
		Replacements: []client.RunReplacement{{Cluster: "prod-eu", Namespace: "shop", Secret: "web", Instead: "web-1", State: "done", Consumers: 1, Switched: 1,
			Old: "It was deleted once its value was retired and nothing named it any more."}},
		Facts: []string{"The system accepts the new value.", "Every mapped key has it."}}
}

func policyFixtures() map[string]any {
	return map[string]any{
		"GET /policies":                         itemsOf(thePolicy(), client.Policy{ID: "default", Name: "default", BuiltIn: true, EntropyBits: 190, Rev: 1}),
		"GET /policies/prod":                    thePolicy(),
		"POST /policies":                        thePolicy(),
		"PATCH /policies/p1":                    thePolicy(),
		"DELETE /policies/p1":                   "",
		"POST /policies/prod/assignments":       thePolicy(),
		"DELETE /policies/prod/assignments/as1": "",
		"GET /accounts/a1/policy": client.PolicyExplanation{AccountID: "a1", AccountName: "app", ResourceName: "orders-db", NextAt: agoP(-24 * time.Hour), NextWhy: "every 30d; it waits for its window",
			Applying: []client.PolicyReason{{PolicyID: "p1", Policy: "prod", By: "rule", Pattern: "postgresql/*/*", Because: "It is assigned by the rule postgresql/*/*"},
				{PolicyID: "default", Policy: "default", Because: "No other policy is for this account"}}},
		"GET /schedule": page(client.Account{ID: "a1", Name: "app", ResourceName: "orders-db", Policy: "prod", PolicyBecause: "It is assigned by the rule postgresql/*/*",
			NextAt: agoP(-24 * time.Hour), NextWhy: "every 30d; it waits for its window", Overdue: true, ChangedAt: agoP(40 * 24 * time.Hour)}),
	}
}

func thePolicy() client.Policy {
	words := 4
	return client.Policy{ID: "p1", Name: "prod", Description: "Production", Password: client.PolicyPassword{Words: &words}, EntropyBits: 75.9, History: 5, Rev: 2,
		Rotation: client.PolicyRotation{Every: "30d", Windows: []string{"Fri 20:00-Sat 04:00"}, Zone: "Europe/Berlin", Jitter: "6h", Reconcile: []string{"refused"},
			Blackouts: []client.Blackout{{From: ago(24 * time.Hour), To: ago(-24 * time.Hour), Why: "holidays"}}},
		Assignments: []client.PolicyAssignment{{ID: "as1", By: "rule", Pattern: "postgresql/*/*"}, {ID: "as2", By: "resource", Pattern: "r2", Name: "orders-db"}}, CreatedAt: agoP(time.Hour)}
}

// plan is of a reset of orders-db/app.
func plan() client.Plan {
	out := &client.PlanLockout{Seconds: 35, Until: "About 35s, until its pods are replaced."}
	return client.Plan{Hash: "1.AAAAAAAAAAAA.BBBBBBBBBBBB.CCCCCCCCCCCC.DDDDDDDDDDDD.EEEEEEEEEEEE", At: ago(0), AccountID: "a1", AccountName: "app", ResourceName: "orders-db", Current: 3, Strategy: "single",
		Policy: "prod", PolicyBecause: "It is assigned to the resource.", Blast: client.PlanBlast{Clusters: 1, Secrets: 1, Keys: 1, Workloads: 1, Restarts: 1, Pods: 1, SingleReplica: 1},
		Keys: []client.PlanKey{{Cluster: "prod-eu", Namespace: "shop", Secret: "web", Key: "PASSWORD", State: "in_sync", OnWrite: "restart", Owner: "one_shot", OwnerName: "kubectl-create"}},
		Workloads: []client.PlanWorkload{{Cluster: "prod-eu", Kind: "Deployment", Namespace: "shop", Name: "web", Action: "restart", Pods: 1, Ready: 1, Lockout: out,
			Uses:     []client.PlanUse{{Secret: "web", Keys: []string{"PASSWORD"}, How: "env", Container: "app"}},
			Warnings: []client.PlanWarning{{Code: "workload-single-replica", Text: "It has one replica, so for a moment two may run, or none."}}}},
		Estimate: client.PlanEstimate{Seconds: 38, Basis: "Nothing was measured yet."}, Lockout: out}
}

func rehearsal(state string) client.Rehearsal {
	return client.Rehearsal{AccountID: "a1", AccountName: "app", ResourceName: "orders-db", State: state, Reason: "The Secret is immutable.", Cure: "Make it anew.", At: agoP(time.Hour), Actor: "ann",
		Steps: []client.RehearsalStep{{Name: "login", State: "done", Object: "app", Proved: "A login with version 3 worked."},
			{Name: "write", State: "failed", Object: "shop/web", Cluster: "prod-eu", Reason: "The Secret is immutable.", Cure: "Make it anew."}}}
}
