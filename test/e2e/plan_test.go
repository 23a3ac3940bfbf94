package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/app"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/kubernetes"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// ahead looks at a world before a run, as the server does.
type ahead struct {
	world
	t          *testing.T
	store      *store.Store
	ring       *vault.Ring
	resets     *rotation.Resets
	rehearsals *rotation.Rehearsals
}

func (w world) ahead(t *testing.T) ahead {
	t.Helper()
	s := w.open(t)
	t.Cleanup(func() { _ = s.Close() })
	ring, err := openRing(t.Context(), s, w.dir)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := target.NewRegistry(postgresql.New(postgresql.Config{}), kubernetes.New())
	if err != nil {
		t.Fatal(err)
	}
	clusters := &app.Clusters{Store: s, Ring: ring, AllowLoopback: true}
	resets := &rotation.Resets{Store: s, Vault: ring, Targets: app.Targets{Store: s, Ring: ring, Registry: registry, Inside: clusters}, Wake: func() {}}
	plans := &rotation.Forecaster{Store: s, Vault: ring, Resets: resets, Clusters: clusters}
	resets.Agreed = plans.Agreed
	a := ahead{w, t, s, ring, resets, &rotation.Rehearsals{Forecaster: plans, Kept: s, Wake: func() {}}}
	a.connect()
	return a
}

var anna = identity.Actor{ID: "u1", Name: "anna", Kind: identity.KindUser}

func (a ahead) foresee() rotation.Forecast {
	a.t.Helper()
	f, err := a.rehearsals.Foresee(a.t.Context(), a.account)
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

// rehearse asks for a rehearsal, carries it out and returns what is stored of it.
func (a ahead) rehearse() rotation.Rehearsal {
	a.t.Helper()
	if err := a.rehearsals.Ask(a.t.Context(), anna, a.account); err != nil {
		a.t.Fatal(err)
	}
	if err := a.rehearsals.Carry(a.t.Context(), a.account); err != nil {
		a.t.Fatal(err)
	}
	r, asked, err := a.store.Rehearsal(a.t.Context(), a.account)
	if err != nil || asked || r.At.IsZero() || r.By.ID != anna.ID {
		a.t.Fatalf("stored: %+v, still asked for: %v, %v", r, asked, err)
	}
	return r
}

func (a ahead) psql(sql string) {
	a.t.Helper()
	if _, err := bed.postgres.Psql(a.t.Context(), bed.postgres.SuperUser, bed.postgres.SuperPassword, sql); err != nil {
		a.t.Fatal(err)
	}
}

// untouched returns the mark of every mapped Secret and of what reads them, and that the first password logs in.
func (a ahead) untouched(password string) string {
	a.t.Helper()
	if _, err := bed.postgres.Psql(a.t.Context(), a.role, password, "SELECT 1"); err != nil {
		a.t.Errorf("the password does not log in any more: %v", err)
	}
	var marks []string
	for i, plane := range bed.clusters.Planes {
		for _, at := range a.secrets {
			if at[0] != fmt.Sprint(i) {
				continue
			}
			rv, err := plane.Kubectl(a.t.Context(), "", "-n", "shop", "get", "secret", at[1], "-o", "jsonpath={.metadata.resourceVersion}")
			if err != nil {
				a.t.Fatal(err)
			}
			marks = append(marks, at[1]+"="+rv)
		}
	}
	generations, err := bed.clusters.Planes[0].Kubectl(a.t.Context(), "", "-n", "shop", "get", "deployments,statefulsets", "-o", "jsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}")
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.Join(append(marks, generations), " ")
}

// The plan names what reads the keys. A run that is bound to it is refused once the world is another, and nothing came of it.
func TestARunBoundToAPlanRefusesAnotherWorld(t *testing.T) {
	w := newWorld(t, "sqlite", "planned")
	r := readersOf(t, bed.clusters.Planes[0], w.secrets[0][1])
	r.kubectl("", "scale", "deployment/api-"+r.secret, "--replicas=1")
	r.kubectl("", "rollout", "status", "deployment/api-"+r.secret, "--timeout=120s")
	a := w.ahead(t)
	f := a.foresee()
	if f.Blast.Keys != 3 || f.Blast.Clusters != 2 || f.Blast.Restarts != 2 || f.Blast.Pods != 4 || f.Blast.SingleReplicas != 1 || f.Blast.Blocked != 0 || len(f.Unseen) != 0 {
		t.Errorf("%+v, unseen %v", f.Blast, f.Unseen)
	}
	for _, x := range f.Workloads {
		single := false
		for _, weigh := range x.Weigh {
			single = single || weigh.Code == kube.ObstacleSingle
		}
		if x.Action != rotation.ActionRestart || x.Lockout == nil || single != strings.HasPrefix(x.Name, "api-") || len(x.Uses) == 0 || x.Uses[0].How != string(kube.HowEnv) {
			t.Errorf("%s %s: %+v", x.Kind, x.Name, x)
		}
	}
	if again := a.foresee(); again.Hash != f.Hash {
		t.Errorf("a second look has another hash: %s, %s", f.Hash, again.Hash)
	}
	refused := func(says string) {
		t.Helper()
		_, err := a.resets.Start(t.Context(), anna, rotation.Reset{AccountID: a.account, Plan: f.Hash})
		if why, _ := errors.AsType[*fault.Error](err); why == nil || why.Code != rotation.PlanChanged || !strings.Contains(why.Msg, says) {
			t.Errorf("%v, want one that says %q", err, says)
		}
		if runs, err := a.store.DueRuns(t.Context(), a.foresee().At.AddDate(0, 0, 1), 10); err != nil || len(runs) != 0 {
			t.Errorf("runs %v, %v", runs, err)
		}
	}
	r.kubectl("", "scale", "deployment/api-"+r.secret, "--replicas=2")
	refused("2 pods, restart")
	r.kubectl("", "scale", "deployment/api-"+r.secret, "--replicas=1")
	r.kubectl("", "patch", "secret", w.secrets[1][1], "-p", `{"immutable":true}`)
	refused("the mapped keys")
	events, err := a.store.AuditEvents(t.Context(), store.AuditFilter{Action: "account.reset", Limit: 10})
	if err != nil || len(events) != 2 || events[0].Outcome != audit.Failed {
		t.Errorf("recorded: %+v, %v", events, err)
	}
	now := a.foresee()
	run, err := a.resets.Start(t.Context(), anna, rotation.Reset{AccountID: a.account, Plan: now.Hash})
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := a.store.Run(t.Context(), run.ID); err != nil || stored.Plan != now.Hash {
		t.Errorf("stored %q, %v", stored.Plan, err)
	}
	a.untouched(firstPassword)
}

// A rehearsal is ready, and says why not when the login, the right, the Secret or the connector's rights are not there. It
// leaves everything as it was.
func TestARehearsalSaysBeforeTheDay(t *testing.T) {
	w := newWorld(t, "sqlite", "tried")
	r := readersOf(t, bed.clusters.Planes[0], w.secrets[0][1])
	a := w.ahead(t)
	before := a.untouched(firstPassword)
	ready := func(when string) {
		t.Helper()
		if got := a.rehearse(); got.State != rotation.Ready || len(got.Steps) < 7 {
			t.Fatalf("%s: %s: %s\n%+v", when, got.State, got.Reason, got.Steps)
		}
	}
	notReady := func(when, says string) {
		t.Helper()
		if got := a.rehearse(); got.State != rotation.NotReady || !strings.Contains(got.Reason, says) {
			t.Errorf("%s: %s: %s\n%+v", when, got.State, got.Reason, got.Steps)
		}
	}
	ready("as it is")
	if after := a.untouched(firstPassword); after != before {
		t.Errorf("before: %s\nafter:  %s", before, after)
	}

	a.psql(fmt.Sprintf(`ALTER ROLE %q PASSWORD 'changed-by-somebody'`, a.role))
	notReady("the password was changed elsewhere", "the system refuses the stored value")
	a.psql(fmt.Sprintf(`ALTER ROLE %q PASSWORD '%s'`, a.role, firstPassword))
	ready("the password is back")

	for resource, cause := range map[string]string{"secrets": "patch secrets", "deployments": "patch deployments"} {
		a.withoutPatch(resource)
		notReady("no right to "+cause, cause)
		a.connect()
	}
	ready("the rights are back")
	r.kubectl("", "patch", "secret", w.secrets[1][1], "-p", `{"immutable":true}`)
	notReady("an immutable Secret", "immutable")
}

// withoutPatch takes the right to patch a resource from the connector.
func (a ahead) withoutPatch(resource string) {
	a.t.Helper()
	manifest, err := kube.Manifest(kube.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true})
	if err != nil {
		a.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(manifest)) {
		if strings.Contains(line, "verbs:") && strings.Contains(line, "patch") && strings.Contains(strings.Join(lines[max(0, len(lines)-3):], ""), resource) {
			line = strings.NewReplacer(", patch", "", "patch, ", "", `, "patch"`, "").Replace(line)
		}
		lines = append(lines, line)
	}
	less := strings.Join(lines, "")
	if less == string(manifest) {
		a.t.Fatalf("the manifest gives no right to patch %s", resource)
	}
	plane, ctx := bed.clusters.Planes[0], a.t.Context()
	// Other tests give the connector rights in the whole cluster, which would go on holding.
	wide, err := plane.Kubectl(ctx, "", "get", "clusterrolebindings", "-o", `jsonpath={range .items[?(@.subjects[0].name=="keyturn")]}{.metadata.name} {end}`)
	if err != nil {
		a.t.Fatal(err)
	}
	if names := strings.Fields(wide); len(names) > 0 {
		if _, err := plane.Kubectl(ctx, "", append([]string{"delete", "clusterrolebindings"}, names...)...); err != nil {
			a.t.Fatal(err)
		}
	}
	if _, err := plane.Kubectl(ctx, less, "apply", "-f", "-"); err != nil {
		a.t.Fatal(err)
	}
	a.awaitRight(plane, "patch", resource, false)
}

// awaitRight waits until a cluster's authoriser has heard whether the connector may do something.
func (a ahead) awaitRight(plane *testbed.ControlPlane, verb, resource string, may bool) {
	a.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		// kubectl exits with 1 when the answer is no, so the answer is what counts.
		answer, err := plane.Kubectl(a.t.Context(), "", "-n", "shop", "auth", "can-i", verb, resource, "--as", "system:serviceaccount:keyturn:keyturn")
		if strings.HasPrefix(strings.TrimSpace(answer), "yes") == may {
			return
		}
		if time.Now().After(end) {
			a.t.Fatalf("the connector may %s %s: %q (%v), should be %v", verb, resource, answer, err, may)
		}
	}
}

// connect gives the connector its rights in every cluster: another test may have taken them, or given others.
func (a ahead) connect() {
	a.t.Helper()
	manifest, err := kube.Manifest(kube.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, plane := range bed.clusters.Planes {
		if _, err := plane.Kubectl(a.t.Context(), string(manifest), "apply", "-f", "-"); err != nil {
			a.t.Fatal(err)
		}
		a.awaitRight(plane, "patch", "secrets", true)
		a.awaitRight(plane, "patch", "deployments", true)
		a.awaitRight(plane, "list", "poddisruptionbudgets", true)
	}
}
