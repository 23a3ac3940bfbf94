package e2e

import (
	"encoding/base64"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/target/kubernetes"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// robot is a ServiceAccount of the first cluster, whose token stands in a Secret there, which many things name, and in a
// Secret of the second cluster.
type robot struct {
	frozen
	account, copied, token string
}

func newRobot(t *testing.T, repository, name string) *robot {
	t.Helper()
	f := newReplacing(t, repository, name, replacing())
	r := &robot{frozen: f, account: "robot-" + name + "-" + repository, copied: "robot-" + name + "-" + repository}
	r.secret = r.account
	r.kubectl("", "create", "serviceaccount", r.account)
	r.kubectl(`{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: `+r.secret+`, labels: {tier: data},
		annotations: {kubernetes.io/service-account.name: `+r.account+`}}}`, "create", "-f", "-")
	r.kubectl("", "wait", "secret/"+r.secret, "--for=jsonpath={.data.token}", "--timeout=2m")
	r.token = r.stands(r.plane, r.secret)
	r.named()
	other := bed.clusters.Planes[1]
	_, err := other.Kubectl(t.Context(), "", "-n", "shop", "create", "secret", "generic", r.copied, "--from-literal=token="+r.token, "--from-literal=server=https://east")
	must(t, err)

	s := r.open(t)
	defer s.Close()
	ring, err := openRing(t.Context(), s, r.dir)
	must(t, err)
	resource := inventory.Resource{ID: newID(), Name: "robots", Type: kubernetes.Type, CreatedAt: time.Now(),
		Through: inventory.Through{ClusterID: r.clusters[0].ID, Namespace: "shop", Kind: inventory.ThroughAccounts}}
	must(t, s.AddResource(t.Context(), resource, nil, happened("resource.create")))
	a := inventory.Account{ID: newID(), ResourceID: resource.ID, Name: r.account, State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now()}
	must(t, s.AddAccount(t.Context(), a, first(t, ring, a.ID, inventory.Typed, r.token), nil, happened("account.create")))
	r.world.account = a.ID
	r.mapKey(t, s, ring, 0, r.secret, "token", r.token)
	r.mapKey(t, s, ring, 1, r.copied, "token", r.token)
	return r
}

// stands returns the token in a Secret.
func (r *robot) stands(p *testbed.ControlPlane, secret string) string {
	r.t.Helper()
	text, err := p.Kubectl(r.t.Context(), "", "-n", "shop", "get", "secret", secret, "-o", "jsonpath={.data.token}")
	must(r.t, err)
	token, err := base64.StdEncoding.DecodeString(text)
	must(r.t, err)
	return string(token)
}

// whoIs asks the API server who a token is; empty if it does not take it.
func (r *robot) whoIs(token string) string {
	r.t.Helper()
	out, err := r.plane.Kubectl(r.t.Context(), "", "--token="+token, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if err != nil && !strings.Contains(err.Error(), "Unauthorized") && !strings.Contains(out, "Unauthorized") && !strings.Contains(err.Error(), "logged in") {
		r.t.Fatalf("who a token is could not be asked: %v", err)
	}
	return strings.TrimSpace(out)
}

// order stores a run and returns its id.
func (r *robot) order(old int64) string {
	r.t.Helper()
	s := r.open(r.t)
	defer s.Close()
	run := rotation.Run{ID: newID(), AccountID: r.world.account, Strategy: rotation.Overlap, Old: old, StartedBy: anna, CreatedAt: time.Now()}
	must(r.t, s.OpenRun(r.t.Context(), run, "", nil, happened("account.reset")))
	return run.ID
}

// issued proves with kubectl that the run had one token issued in next, that everything has it, and that the one before ended.
func (r *robot) issued(run, before, next string) {
	r.t.Helper()
	s := r.open(r.t)
	defer s.Close()
	got, err := s.Run(r.t.Context(), run)
	must(r.t, err)
	if got.State != rotation.Finished {
		r.t.Fatalf("the run is %s after %s: %s; %s", got.State, got.Step, got.Reason, got.Cure)
	}
	if there := strings.Fields(r.kubectl("", "get", "secrets", "-l", "tier=data", "-o", `jsonpath={range .items[?(@.metadata.annotations.kubernetes\.io/service-account\.name=="`+r.account+`")]}{.metadata.name} {end}`)); len(there) != 1 || there[0] != next {
		r.t.Errorf("the account's token Secrets are %v, want %s", there, next)
	}
	if made := r.kubectl("", "get", "secret", next, "-o", `jsonpath={.type} {.metadata.annotations.keyturn\.dev/made-by}`); made != "kubernetes.io/service-account-token "+run {
		r.t.Errorf("%s is %q", next, made)
	}
	token := r.stands(r.plane, next)
	if token == r.token || r.stands(bed.clusters.Planes[1], r.copied) != token {
		r.t.Error("the copy in the other cluster holds another token")
	}
	if who := r.whoIs(token); who != "system:serviceaccount:shop:"+r.account {
		r.t.Errorf("the new token is of %q", who)
	}
	if who := r.whoIs(r.token); who != "" {
		r.t.Errorf("the old token is still taken, as %s", who)
	}
	ring, err := openRing(r.t.Context(), s, r.dir)
	must(r.t, err)
	sealed, err := s.Sealed(r.t.Context(), r.world.account, got.New)
	must(r.t, err)
	value, err := ring.Open(inventory.VersionRecord(r.world.account, got.New), sealed)
	must(r.t, err)
	if !value.Equal(vault.NewValue([]byte(token))) {
		r.t.Error("the vault holds another token")
	}
	writes, err := s.Writes(r.t.Context(), rotation.Run{ID: run, AccountID: r.world.account})
	must(r.t, err)
	for _, w := range writes {
		if w.State != rotation.WriteDone || w.Name != next && w.Name != r.copied {
			r.t.Errorf("%s: %s", w.Name, w.State)
		}
	}
	r.renamed(run, next)
	r.clean(r.t, token)
	r.token = token
}

func TestATokenIsIssuedAgain(t *testing.T) {
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			r := newRobot(t, repository, "issue")
			run := r.order(1)
			if out, err := r.work(t, run, ""); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			r.issued(run, r.secret, r.secret+"-1")
		})
	}
}

// One run is killed at each point at which a token is issued and the one before ends, one after the other.
func TestAKilledRunIssuesOneToken(t *testing.T) {
	r := newRobot(t, "sqlite", "issuekilled")
	run := r.order(1)
	for _, point := range []string{"published:before-choice", "published:choice", "minted:before-issue", "minted:issued", "minted:before-store", "minted:stored",
		"applied:after-effect", "verified:after-effect", "published:before-proof", "published:stored", "rolled_out:before-census", "rolled_out:before-effect", "rolled_out:after-effect", "rolled_out:stored",
		"retired:before-delete", "retired:deleted", "retired:delete-stored", "retired:before-effect", "retired:after-effect", "retired:before-store"} {
		out, err := r.work(t, run, point)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the worker was not killed at %s: %v\n%s", point, err, out)
		}
	}
	if out, err := r.work(t, run, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.issued(run, r.secret, r.secret+"-1")
}

// A plan names the Secret that would be made, a rehearsal tries it and says what is lacked; a run that gets stuck is rolled
// back, after which the token that it had issued has ended and everything has the one before.
func TestATokenIsForeseenRehearsedAndRolledBack(t *testing.T) {
	r := newRobot(t, "sqlite", "issueback")
	a := r.ahead(t)
	r.rights(replacing())
	plan := a.foresee()
	actions, instead := map[string]rotation.Action{}, ""
	for _, w := range plan.Workloads {
		actions[w.Kind] = w.Action
	}
	for _, k := range plan.Keys {
		instead += k.Instead
	}
	if actions["Deployment"] != rotation.ActionRestart || actions["ServiceAccount"] != rotation.ActionRename || instead != r.secret+"-1" || plan.Strategy != rotation.Overlap || plan.Blast.Blocked != 0 {
		t.Errorf("the plan: %v, %q, %s, %+v", actions, instead, plan.Strategy, plan.Blast)
	}
	before := r.kubectl("", "get", "secrets", "-o", "jsonpath={.items[*].metadata.uid}")
	if got := a.rehearse(); got.State != rotation.Ready {
		t.Errorf("it is %s: %s; %s", got.State, got.Reason, got.Cure)
	}
	r.rights(inventory.Scope{Namespaces: []string{"shop"}, ReadWrite: true, Restart: true})
	ahead{t: t}.awaitRight(r.plane, "create", "secrets", false)
	if got := a.rehearse(); got.State != rotation.NotReady || !strings.Contains(got.Reason, "create secrets in namespace shop") || !strings.Contains(got.Cure, "--replace") {
		t.Errorf("without the right it is %s: %s; %s", got.State, got.Reason, got.Cure)
	}
	r.rights(replacing())
	if after := r.kubectl("", "get", "secrets", "-o", "jsonpath={.items[*].metadata.uid}"); after != before {
		t.Errorf("before: %s\nafter:  %s", before, after)
	}

	bare := "bare-" + r.secret
	r.kubectl(`{apiVersion: v1, kind: Pod, metadata: {name: `+bare+`}, spec: {containers: [{name: app, image: none, envFrom: [{secretRef: {name: `+r.secret+`}}]}]}}`, "create", "-f", "-")
	must(t, a.store.Close()) // the worker is alone with it
	run := r.order(1)
	if out, err := r.work(t, run, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	next := r.stands(r.plane, r.secret+"-1")
	if r.stands(bed.clusters.Planes[1], r.copied) != next || r.whoIs(next) == "" || r.whoIs(r.token) == "" {
		t.Error("both tokens do not work, or the copy has not the next")
	}
	r.kubectl("", "delete", "pod", bare, "--wait")
	a = r.ahead(t)
	r.rights(replacing())
	back, err := a.resets.RollBack(t.Context(), anna, run)
	must(t, err)
	must(t, a.store.Close())
	if out, err := r.work(t, back.ID, ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := r.open(t)
	defer s.Close()
	for id, want := range map[string]rotation.State{run: rotation.RolledBack, back.ID: rotation.Finished} {
		if got, err := s.Run(t.Context(), id); err != nil || got.State != want {
			t.Errorf("a run is %s, want %s: %s; %s (%v)", got.State, want, got.Reason, got.Cure, err)
		}
	}
	if left := r.kubectl("", "get", "secrets", r.secret+"-1", "--ignore-not-found", "-o", "name"); left != "" || r.whoIs(next) != "" {
		t.Errorf("%q is left, or its token works", left)
	}
	if r.stands(r.plane, r.secret) != r.token || r.stands(bed.clusters.Planes[1], r.copied) != r.token || r.whoIs(r.token) == "" {
		t.Error("the token before is not back everywhere")
	}
}
