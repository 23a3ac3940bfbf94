package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// outlook is a world of two clusters: a key each, a Deployment of two pods in the first and one of one in the second.
func outlook() Outlook {
	value := vault.NewValue([]byte("now"))
	secret := func(uid string) Seen {
		return Seen{Namespace: "shop", Name: "db", UID: uid, ResourceVersion: "7", Data: map[string]vault.Value{"password": value},
			Owners: map[string]Owner{"password": {Kind: OwnerOneShot, Name: "kubectl-create"}}}
	}
	reader := func(cluster, name string, pods int) Reader {
		return Reader{Workload: Workload{cluster, "Deployment", "shop", name, "uid-" + name}, Wanted: pods, Ready: pods, Single: pods == 1,
			Holds: []Holding{{Secret: "db", Keys: []string{"password"}}}, Uses: []Use{{Secret: "db", Keys: []string{"password"}, How: "env", Container: "app"}}}
	}
	view := func(s Seen, readers ...Reader) ClusterView {
		return ClusterView{Secrets: map[[2]string]Seen{{"shop", "db"}: s}, Census: Census{Readers: readers}}
	}
	write := func(id, cluster, name, uid string) Write {
		return Write{MappingID: id, ClusterID: cluster, ClusterName: name, SecretID: "s" + id, Namespace: "shop", Name: "db", UID: uid, Key: "password", OnWrite: OnWriteRestart, State: WriteToDo}
	}
	return Outlook{
		At: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), Account: Account{ID: "a", Name: "app", ResourceID: "r", Current: 3},
		Strategy: Single, Remote: true, Policy: Policy{ID: "p", Name: "prod", Rev: 4}, Value: &value, Probe: vault.NewValue([]byte("probe")),
		Writes:   []Write{write("m1", "c1", "prod", "u1"), write("m2", "c2", "stage", "u2")},
		Clusters: map[string]ClusterView{"c1": view(secret("u1"), reader("c1", "api", 2)), "c2": view(secret("u2"), reader("c2", "one", 1))},
	}
}

func foreseen(t *testing.T, o Outlook) Forecast {
	t.Helper()
	f, err := Foresee(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestForeseeCountsTheBlastRadius(t *testing.T) {
	f := foreseen(t, outlook())
	if want := (Blast{Clusters: 2, Secrets: 2, Keys: 2, Workloads: 2, Restarts: 2, Pods: 3, SingleReplicas: 1}); f.Blast != want {
		t.Errorf("blast %+v, want %+v", f.Blast, want)
	}
	for _, k := range f.Keys {
		if k.State != KeyInSync || k.Owner.Name != "kubectl-create" {
			t.Errorf("%+v", k)
		}
	}
	for _, w := range f.Workloads {
		if w.Action != ActionRestart || w.Lockout == nil || w.Lockout.OpenEnded || w.Lockout.For < assumedVerify+time.Duration(w.Wanted)*assumedPod {
			t.Errorf("%s: %s, %+v", w.Name, w.Action, w.Lockout)
		}
	}
	if f.Lockout == nil || !strings.Contains(f.Lockout.Until, "api") || f.Estimate.Total < 2*assumedPod || !strings.Contains(f.Estimate.Basis, "assumed") {
		t.Errorf("lockout %+v, estimate %+v", f.Lockout, f.Estimate)
	}
}

func TestForeseeSaysWhatWouldNotWork(t *testing.T) {
	unreachable := fault.New(fault.Unavailable, "no answer")
	for name, tt := range map[string]struct {
		change func(*Outlook)
		state  KeyState
		says   string
	}{
		"immutable": {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.Immutable = true }) }, KeyBlocked, "immutable"},
		"a controller's": {func(o *Outlook) {
			o.secret("c1", func(s *Seen) {
				s.Owners = map[string]Owner{"password": {Kind: OwnerReconciler, Name: "ExternalSecret db"}}
			})
		}, KeyHandsOff, "ExternalSecret db"},
		"gone":      {func(o *Outlook) { o.Clusters["c1"] = ClusterView{} }, KeyBlocked, "not in the cluster"},
		"made anew": {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.UID = "u9" }) }, KeyBlocked, "made anew"},
		"another value": {func(o *Outlook) {
			o.secret("c1", func(s *Seen) { s.Data = map[string]vault.Value{"password": vault.NewValue([]byte("other"))} })
		}, KeyDrift, "something else"},
		"no answer": {func(o *Outlook) { o.Clusters["c1"] = ClusterView{Failed: unreachable} }, KeyUnseen, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			o := outlook()
			tt.change(&o)
			f := foreseen(t, o)
			i := slices.IndexFunc(f.Keys, func(k KeyForecast) bool { return k.ClusterID == "c1" })
			if k := f.Keys[i]; k.State != tt.state || !strings.Contains(k.Reason, tt.says) {
				t.Errorf("%s: %s", k.State, k.Reason)
			}
			if blocked := f.Blast.Blocked == 1; blocked != (tt.state == KeyBlocked || tt.state == KeyHandsOff) {
				t.Errorf("%d blocked", f.Blast.Blocked)
			}
			if unseen := len(f.Unseen) > 0; unseen != (tt.state == KeyUnseen) {
				t.Errorf("unseen %v", f.Unseen)
			}
		})
	}
}

func (o *Outlook) secret(cluster string, change func(*Seen)) {
	at := [2]string{"shop", "db"}
	s := o.Clusters[cluster].Secrets[at]
	change(&s)
	o.Clusters[cluster].Secrets[at] = s
}

func (o *Outlook) reader(cluster string, change func(*Reader)) {
	change(&o.Clusters[cluster].Census.Readers[0])
}

func TestWhoIsLockedOutForHowLong(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Outlook)
		open   bool
		none   bool
		says   string
	}{
		"restarted":       {func(*Outlook) {}, false, false, "until its pods are replaced"},
		"asks":            {func(o *Outlook) { o.Writes[0].OnWrite = OnWriteAsk }, true, false, "until a person resumes"},
		"left alone, env": {func(o *Outlook) { o.Writes[0].OnWrite = OnWriteNothing }, true, false, "at its start only"},
		"left alone, files": {func(o *Outlook) {
			o.Writes[0].OnWrite = OnWriteNothing
			o.reader("c1", func(r *Reader) { r.Uses[0].Refreshes = true })
		}, false, false, "kubelet has renewed"},
		"starts later":          {func(o *Outlook) { o.reader("c1", func(r *Reader) { r.Later = true }) }, false, false, "what starts later"},
		"paused":                {func(o *Outlook) { o.reader("c1", func(r *Reader) { r.Refused = "it is paused" }) }, true, false, "it is paused"},
		"both values are valid": {func(o *Outlook) { o.Strategy = Overlap }, false, true, ""},
		"no system":             {func(o *Outlook) { o.Remote = false }, false, true, ""},
		"a later wave":          {func(o *Outlook) { o.Policy.Rules.Waves = Waves{Canary: []string{"stage"}, Pause: PauseAsk} }, true, false, "wave 2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := outlook()
			tt.change(&o)
			f := foreseen(t, o)
			i := slices.IndexFunc(f.Workloads, func(w WorkloadForecast) bool { return w.Name == "api" })
			l := f.Workloads[i].Lockout
			switch {
			case tt.none && (l != nil || f.Lockout != nil):
				t.Errorf("locked out: %+v, %+v", l, f.Lockout)
			case !tt.none && (l == nil || l.OpenEnded != tt.open || (l.For > 0) == tt.open || !strings.Contains(l.Until, tt.says)):
				t.Errorf("%+v", l)
			}
		})
	}
}

// A wave that comes later leaves its readers locked out for longer, by all that the waves before it take and the pause.
func TestLaterWavesAreLockedOutForLonger(t *testing.T) {
	o := outlook()
	o.Policy.Rules.Waves = Waves{Canary: []string{"stage"}, Pause: "30m"}
	f := foreseen(t, o)
	by := map[string]time.Duration{}
	for _, w := range f.Workloads {
		by[w.Name] = w.Lockout.For
	}
	if f.Waves != 2 || by["api"] < by["one"]+30*time.Minute || f.Estimate.Total < 30*time.Minute {
		t.Errorf("%d waves: %v, in all %s", f.Waves, by, f.Estimate.Total)
	}
}

func TestWhatWasMeasuredComesBeforeWhatIsAssumed(t *testing.T) {
	o := outlook()
	o.Pace = Pace{Runs: 3, Of: PaceAccount, Apply: time.Second, Verify: time.Second, Retire: time.Second, Key: 100 * time.Millisecond, Pod: 5 * time.Second}
	f := foreseen(t, o)
	if want := 3*time.Second + 200*time.Millisecond + 10*time.Second; f.Estimate.Total != want || !strings.Contains(f.Estimate.Basis, "3 earlier runs of this account") {
		t.Errorf("%s (%s), want %s", f.Estimate.Total, f.Estimate.Basis, want)
	}
	for _, s := range f.Estimate.Steps {
		if s.Measured != 3 {
			t.Errorf("%+v", s)
		}
	}
}

func TestConsent(t *testing.T) {
	was := foreseen(t, outlook())
	for name, tt := range map[string]struct {
		change func(*Outlook)
		says   string // empty: it is the same consent
	}{
		"nothing":                 {func(*Outlook) {}, ""},
		"a later look":            {func(o *Outlook) { o.At = o.At.Add(time.Hour) }, ""},
		"another resourceVersion": {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.ResourceVersion = "9" }) }, ""},
		"fewer pods are ready":    {func(o *Outlook) { o.reader("c1", func(r *Reader) { r.Ready = 0 }) }, ""},
		"a budget": {func(o *Outlook) {
			o.reader("c1", func(r *Reader) { r.Weigh = []Warning{{Code: "workload-disruption-budget"}} })
		}, ""},
		"another probe": {func(o *Outlook) { o.Probe = vault.NewValue([]byte("x")) }, ""},
		"pods left of a template": {func(o *Outlook) {
			o.reader("c1", func(r *Reader) {
				r.Uses = append(r.Uses, Use{Secret: "db", Keys: []string{"password"}, How: "env", InPodsOnly: true})
			})
		}, ""},
		"measured":            {func(o *Outlook) { o.Pace = Pace{Runs: 1, Pod: time.Hour} }, ""},
		"another version":     {func(o *Outlook) { o.Account.Current = 4 }, "version 4"},
		"another strategy":    {func(o *Outlook) { o.Strategy = Overlap }, "strategy overlap"},
		"another policy":      {func(o *Outlook) { o.Policy.Rev = 5 }, "its policy, now the policy prod"},
		"one mapping less":    {func(o *Outlook) { o.Writes = o.Writes[1:]; delete(o.Clusters, "c1") }, "the mapped keys, now stage/shop/db/password"},
		"another answer":      {func(o *Outlook) { o.Writes[0].OnWrite = OnWriteAsk }, "the mapped keys"},
		"a Secret made anew":  {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.UID = "u9" }) }, "(blocked)"},
		"another owner":       {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.Owners = nil }) }, "the mapped keys"},
		"an immutable Secret": {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.Immutable = true }) }, "(blocked)"},
		"a drifted key":       {func(o *Outlook) { o.secret("c1", func(s *Seen) { s.Data = nil }) }, "(drift)"},
		"a cluster is away":   {func(o *Outlook) { o.Clusters["c1"] = ClusterView{Failed: errors.New("x")} }, "(unseen)"},
		"more replicas":       {func(o *Outlook) { o.reader("c2", func(r *Reader) { r.Wanted = 2 }) }, "Deployment stage/shop/one (2 pods, restart)"},
		"a paused workload":   {func(o *Outlook) { o.reader("c1", func(r *Reader) { r.Refused = "it is paused" }) }, "(2 pods, refused)"},
		"another workload":    {func(o *Outlook) { o.reader("c1", func(r *Reader) { r.UID = "new" }) }, "the workloads"},
		"waves":               {func(o *Outlook) { o.Policy.Rules.Waves.Canary = []string{"stage"} }, "the waves, now 2 waves"},
	} {
		t.Run(name, func(t *testing.T) {
			o := outlook()
			tt.change(&o)
			err := foreseen(t, o).AgreedTo(was.Hash)
			f, _ := errors.AsType[*fault.Error](err)
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (f == nil || f.Kind != fault.Conflict || f.Code != PlanChanged || !strings.Contains(f.Msg, tt.says) || f.Unchanged == ""):
				t.Errorf("%v, want one that says %q", err, tt.says)
			}
		})
	}
	for _, wrong := range []string{"", "x", was.Hash + ".AAAAAAAAAAAA", "2" + was.Hash[1:], was.Hash[:len(was.Hash)-1]} {
		if err := was.AgreedTo(wrong); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// The world is looked at once more before a value is made: a run that was agreed to in another one is given up.
func TestABoundRunIsCancelledBeforeAValueIsMade(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		state State
	}{
		"the same world": {nil, Finished},
		"another world":  {fault.New(fault.Conflict, "the world has changed since the plan").WithCode(PlanChanged).WithCure("look again"), Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run.Plan = "hash"
			e := w.engine()
			e.Agreed = func(_ context.Context, account, hash string) error {
				if account != "acc" || hash != "hash" {
					t.Errorf("asked for %s, %s", account, hash)
				}
				return tt.err
			}
			if err := e.Resume(t.Context(), "run"); err != nil {
				t.Fatal(err)
			}
			if w.run.State != tt.state || (w.made > 0) != (tt.err == nil) || (w.accepted == "old") != (tt.err != nil) {
				t.Errorf("%s: %s; %d values made, the target takes %q", w.run.State, w.run.Reason, w.made, w.accepted)
			}
		})
	}
}
