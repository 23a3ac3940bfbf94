package rotation

import (
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/vault"
)

// frozen makes s0 of the model immutable, with readers that name it, and lets it be replaced.
func (w *world) frozen() *world {
	w.withWorkloads()
	for name, x := range w.workloads {
		x.Uses = []Use{{Secret: x.reads, Keys: []string{"password"}, How: "env"}}
		w.workloads[name] = x
	}
	w.workloads["cron"] = &workload{reads: "s0", Reader: Reader{Workload: Workload{"c1", "CronJob", "ns", "cron", "uid-cron"}, Later: true, Refused: "a CronJob is not restarted",
		Holds: []Holding{{Secret: "s0", Keys: []string{"password"}}}, Uses: []Use{{Secret: "s0", Keys: []string{"password"}, How: "env"}}}}
	w.workloads["cron"].Refused = ""
	w.secrets["c1/s0"].immutable = true
	w.mayReplace, w.policy.Rules.Immutable = true, ImmutableReplace
	return w
}

// dies has the process die at a point, once: nothing that it does after it has an effect.
func (w *world) dies(at string) {
	w.on = func(point string) {
		if point != at {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dead, w.on = true, nil
	}
}

// wasReplaced fails the test unless s0-1 took the place of s0 for good.
func (w *world) wasReplaced(when string) {
	w.t.Helper()
	made := w.secrets["c1/s0-1"]
	if made == nil || !made.immutable || made.data["password"] != w.accepted || made.data["other"] != "stays" || made.madeBy != w.run.ID || made.base != "s0" {
		w.t.Fatalf("%s: s0-1 is %+v", when, made)
	}
	if w.secrets["c1/s0"] != nil || w.secrets["c1/s0-2"] != nil {
		w.t.Errorf("%s: of s0 and s0-2 one is there", when)
	}
	if i := slices.IndexFunc(w.writes, func(x Write) bool { return x.MappingID == "ms0" }); w.writes[i].Name != "s0-1" || w.writes[i].UID != made.uid {
		w.t.Errorf("%s: the mapping is of %s", when, w.writes[i].Name)
	}
	for name, x := range w.workloads {
		if x.names("s0") {
			w.t.Errorf("%s: %s names the old Secret", when, name)
		}
	}
	if api := w.workloads["api"]; api.marks != 1 || api.reads != "s0-1" {
		w.t.Errorf("%s: api was marked %d times and reads %s", when, api.marks, api.reads)
	}
}

func TestAnImmutableSecretIsReplacedWhateverFails(t *testing.T) {
	points := []string{"", "published:before-choice", "published:choice", "published:before-replacement", "published:replacement", "published:before-proof", "published:stored",
		"rolled_out:before-census", "rolled_out:census", "rolled_out:before-effect", "rolled_out:after-effect", "rolled_out:before-proof",
		"retired:before-delete", "retired:deleted", "retired:delete-stored", "retired:before-store"}
	for _, point := range points {
		w := newWorld(t).frozen()
		w.dies(point)
		if err := w.resume(); (err == nil) != (point == "") {
			t.Fatalf("%s: %v", point, err)
		}
		if point != "" && w.on != nil {
			t.Fatalf("%s: the run did not come there", point)
		}
		if err := w.resume(); point != "" && err != nil {
			t.Fatalf("%s: %v", point, err)
		}
		w.turned(point)
		w.onTheNewValue(point)
		w.wasReplaced(point)
	}
	for _, call := range []string{"cluster:replace", "cluster:read", "cluster:restart", "cluster:delete", "store:replacement", "store:writes", "saw"} {
		for _, m := range []mode{fails, lost} {
			w := newWorld(t).frozen()
			w.faults[call] = m
			for range 3 {
				if _ = w.resume(); w.run.State.Ended() {
					break
				}
				w.again()
			}
			w.turned(call)
			w.onTheNewValue(call)
			w.wasReplaced(call)
		}
	}
}

func TestANameThatAStrangerHasIsPassedOver(t *testing.T) {
	w := newWorld(t).frozen()
	w.secrets["c1/s0-1"] = &secret{uid: "stranger", rv: "1", immutable: true, data: map[string]string{"password": "mine"}}
	w.dies("published:replacement")
	for range 3 {
		_ = w.resume()
	}
	if w.run.State != Finished {
		t.Errorf("the run is %s: %s", w.run.State, w.run.Reason)
	}
	if s := w.secrets["c1/s0-1"]; s == nil || s.data["password"] != "mine" {
		t.Error("the stranger's Secret was touched")
	}
	if s := w.secrets["c1/s0-2"]; s == nil || s.base != "s0" || s.madeBy != "run" || w.secrets["c1/s0"] != nil || w.secrets["c1/s0-3"] != nil {
		t.Errorf("s0-2 is %+v", s)
	}
}

func TestNumbersOfSecrets(t *testing.T) {
	for _, tt := range []struct {
		name, base string
		wantBase   string
		want       int
	}{
		{"db", "", "db", 0}, {"db-1", "", "db-1", 0}, {"db-1", "db", "db", 1}, {"db-12", "db", "db", 12}, {"db-01", "db", "db-01", 0},
		{"copy-1", "db", "copy-1", 0}, {"db-x", "db", "db-x", 0}, {"db--1", "db", "db--1", 0}, {"db-1-2", "db-1", "db-1", 2}, {"-1", "", "-1", 0},
	} {
		if base, n := (Seen{Name: tt.name, Base: tt.base}).numbered(); base != tt.wantBase || n != tt.want {
			t.Errorf("%s of %q: %s, %d", tt.name, tt.base, base, n)
		}
	}
}

func TestWhatIsNotReplaced(t *testing.T) {
	value := vault.NewValue([]byte("new"))
	for name, tt := range map[string]struct {
		change func(w *Write, s *Seen)
		may    mayReplace
		reason string // empty: it is replaced
	}{
		"allowed":               {nil, replaceAllowed, ""},
		"by the policy":         {nil, replaceRefused, "policy does not say"},
		"for want of the right": {nil, replaceNoRight, "no right to replace"},
		"another key's owner": {func(_ *Write, s *Seen) {
			s.Owners["other"] = Owner{Kind: OwnerReconciler, Name: "ExternalSecret db", Advice: "change it there"}
		}, replaceAllowed, "belongs to ExternalSecret db"},
		"a token":            {func(_ *Write, s *Seen) { s.Type = "kubernetes.io/service-account-token" }, replaceAllowed, "filled in by the cluster"},
		"readers left alone": {func(w *Write, _ *Seen) { w.OnWrite = OnWriteNothing }, replaceAllowed, "leave alone"},
		"a long name":        {func(_ *Write, s *Seen) { s.Name = strings.Repeat("n", 251) }, replaceAllowed, "too long"},
	} {
		w := Write{UID: "u", Key: "password", OnWrite: OnWriteRestart, State: WriteToDo}
		s := Seen{Namespace: "ns", Name: "db", UID: "u", Immutable: true, Data: map[string]vault.Value{"password": vault.NewValue([]byte("old"))}, Owners: map[string]Owner{}}
		if tt.change != nil {
			tt.change(&w, &s)
		}
		d := decide(place{writes: []Write{w}}.under(tt.may.given()).writes, s, true, value)
		if got := d.writes[0]; d.replace != (tt.reason == "") || tt.reason != "" && (got.State != WriteBlocked || !strings.Contains(got.Reason, tt.reason) || got.Cure == "" || len(d.patch) > 0) {
			t.Errorf("%s: replace %v, %s: %s", name, d.replace, got.State, got.Reason)
		}
	}
}

// given is a policy and a right that come to m.
func (m mayReplace) given() (policy Policy, reverts, right bool) {
	if m != replaceRefused {
		policy.Rules.Immutable = ImmutableReplace
	}
	return policy, false, m != replaceNoRight
}

func TestAnImmutableSecretIsReplacedAsAWholeOrNotAtAll(t *testing.T) {
	s := Seen{Name: "db", UID: "u", Immutable: true, Data: map[string]vault.Value{"password": vault.NewValue([]byte("old"))}, Owners: map[string]Owner{}}
	writes := place{writes: []Write{{UID: "u", Key: "password", OnWrite: OnWriteRestart}, {UID: "other", Key: "copy", OnWrite: OnWriteRestart}}}.under(replaceAllowed.given()).writes
	d := decide(writes, s, true, vault.NewValue([]byte("new")))
	if d.replace || len(d.patch) > 0 || d.writes[0].State != WriteBlocked || !strings.Contains(d.writes[0].Reason, "as a whole") {
		t.Errorf("%+v", d)
	}
}

func TestWhoIsToldOfAnotherSecret(t *testing.T) {
	at := func(kind, name string) Workload { return Workload{"c1", kind, "ns", name, name} }
	uses := func(inPods bool) []Use { return []Use{{Secret: "db", Keys: []string{"user"}, InPodsOnly: inPods}} }
	replaced := []Replacement{{ClusterID: "c1", Namespace: "ns", Old: "db", New: "db-1", NewUID: "u"}}
	for _, tt := range []struct {
		reader Reader
		says   OnWrite
		want   RolloutState
	}{
		{Reader{Workload: at("Deployment", "of another key"), Uses: uses(false)}, OnWriteRestart, RolloutToDo},
		{Reader{Workload: at("Deployment", "asked"), Uses: uses(false)}, OnWriteAsk, RolloutAsks},
		{Reader{Workload: at("Deployment", "paused"), Uses: uses(false), Refused: "it is paused", Cure: "resume it"}, OnWriteRestart, RolloutStuck},
		{Reader{Workload: at("Deployment", "of Argo CD"), Uses: uses(false), Kept: "Argo CD"}, OnWriteRestart, RolloutStuck},
		{Reader{Workload: at("Deployment", "changed at its source"), Uses: uses(true), Kept: "Argo CD"}, OnWriteRestart, RolloutToDo},
		{Reader{Workload: at("Pod", "bare"), Uses: uses(false), Refused: "no controller would make it again", Cure: "delete it"}, OnWriteRestart, RolloutStuck},
		{Reader{Workload: at("CronJob", "later"), Uses: uses(false), Later: true, Refused: "not restarted"}, OnWriteRestart, RolloutToDo},
		{Reader{Workload: at("CronJob", "asked"), Uses: uses(false), Later: true}, OnWriteAsk, RolloutAsks},
		{Reader{Workload: at("ServiceAccount", "pulls"), Uses: uses(false), Refused: "not restarted"}, OnWriteRestart, RolloutToDo},
		{Reader{Workload: at("Ingress", "of Helm"), Uses: uses(false), Kept: "Helm release web"}, OnWriteRestart, RolloutStuck},
		{Reader{Workload: at("Deployment", "of another Secret"), Uses: []Use{{Secret: "other"}}}, OnWriteRestart, ""},
	} {
		writes := []Write{{ClusterID: "c1", Namespace: "ns", Name: "db-1", Key: "password", OnWrite: tt.says}}
		got := consumers(writes, []Reader{tt.reader}, replaced)
		if (len(got) == 0) != (tt.want == "") || len(got) == 1 && (got[0].State != tt.want || tt.want == RolloutStuck && (got[0].Cure == "" || got[0].Reason == "")) {
			t.Errorf("%s %s: %+v, want %q", tt.reader.Kind, tt.reader.Name, got, tt.want)
		}
	}
}

// What still names the old Secret when its value is to be retired keeps both.
func TestNothingIsDeletedThatIsStillNamed(t *testing.T) {
	w := newWorld(t).frozen()
	w.run.Strategy = Overlap
	w.on = func(point string) {
		if point == "rolled_out:stored" {
			w.workloads["late"] = &workload{reads: "s0", Reader: Reader{Workload: Workload{"c1", "Deployment", "ns", "late", "uid-late"}, Uses: []Use{{Secret: "s0"}}}}
		}
	}
	if err := w.resume(); err != nil || w.run.State != NeedsAttention || !strings.Contains(w.run.Reason, "late names it") || !strings.Contains(w.run.Cure, "s0-1") {
		t.Fatalf("%v; the run is %s: %s; %s", err, w.run.State, w.run.Reason, w.run.Cure)
	}
	if w.secrets["c1/s0"] == nil || w.also != "old" {
		t.Error("the old Secret or its value is gone")
	}
	w.on = nil
	w.workloads["late"].Uses[0].InPodsOnly = true
	w.again()
	if err := w.resume(); err != nil || w.run.State != Waiting || !strings.Contains(w.run.Reason, "still runs") {
		t.Fatalf("%v; the run is %s: %s", err, w.run.State, w.run.Reason)
	}
	delete(w.workloads, "late")
	w.again()
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	w.turned("mended")
	w.wasReplaced("mended")
}

// A run that undoes another goes back to the old Secret while that is there, and deletes the one that was made.
func TestARunThatUndoesAnotherGoesBackToTheOldSecret(t *testing.T) {
	for _, tt := range []struct{ name, stops, holds, want string }{
		{"it is still there", "rolled_out:before-effect", "old", "s0"},
		{"nothing was mapped to the new one yet", "published:replacement", "old", "s0"},
		{"it is deleted", "retired:delete-stored", "", "s0-2"},
		{"a name was chosen, and the old one holds another value", "published:choice", "somebody's", "s0-1"},
		{"a Secret was made in vain, and the old one holds another value", "published:replacement", "somebody's", "s0-2"},
	} {
		w := newWorld(t).frozen()
		w.dies(tt.stops)
		if err := w.resume(); err == nil {
			t.Fatalf("%s: the run went on", tt.name)
		}
		if s := w.secrets["c1/s0"]; s != nil {
			s.data["password"] = tt.holds
		}
		w.policy.Rules.Immutable = "" // whatever the policy says by now
		w.run = Run{ID: "back", AccountID: "acc", Strategy: Single, State: Queued, Step: Planned, Begun: Planned, Old: w.run.New, New: 1, Typed: true, Restores: 1, Reverts: "run"}
		w.censused, w.rollouts = nil, nil
		for i := range w.writes {
			w.writes[i].State = WriteToDo
		}
		for range 3 {
			if err := w.resume(); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if w.run.State.Ended() {
				break
			}
			w.again()
		}
		if w.run.State != Finished || w.accepted != "old" {
			t.Fatalf("%s: the run is %s: %s %s", tt.name, w.run.State, w.run.Reason, w.run.Cure)
		}
		for _, name := range []string{"s0", "s0-1", "s0-2"} {
			if s := w.secrets["c1/"+name]; (s != nil) != (name == tt.want) || s != nil && s.data["password"] != "old" {
				t.Errorf("%s: %s is %+v", tt.name, name, s)
			}
		}
		if api := w.workloads["api"]; api.reads != tt.want || api.holds[0] != "old" {
			t.Errorf("%s: api reads %s and holds %v", tt.name, api.reads, api.holds)
		}
	}
}

func TestAPlanSaysWhatIsReplaced(t *testing.T) {
	o := outlook()
	o.secret("c1", func(s *Seen) { s.Immutable = true })
	o.Policy.Rules.Immutable = ImmutableReplace
	view := o.Clusters["c1"]
	view.Census.Readers = append(view.Census.Readers, Reader{Workload: Workload{"c1", "ServiceAccount", "shop", "puller", "u"}, Uses: []Use{{Secret: "db", How: "pull secret"}}})
	o.Clusters["c1"] = view
	key := func(f Forecast) KeyForecast {
		return f.Keys[slices.IndexFunc(f.Keys, func(k KeyForecast) bool { return k.ClusterID == "c1" })]
	}
	if k := key(foreseen(t, o)); k.State != KeyBlocked || !strings.Contains(k.Reason, "no right") || !strings.Contains(k.Cure, "--replace") || k.Instead != "" {
		t.Errorf("without the right: %+v", k)
	}
	view.MayReplace = true
	o.Clusters["c1"] = view
	f := foreseen(t, o)
	if k := key(f); k.State != KeyInSync || k.Instead != "db-1" || !k.Immutable {
		t.Errorf("with the right: %+v", k)
	}
	for name, want := range map[string]Action{"api": ActionRestart, "puller": ActionRename, "one": ActionRestart} {
		if i := slices.IndexFunc(f.Workloads, func(w WorkloadForecast) bool { return w.Name == name }); i < 0 || f.Workloads[i].Action != want {
			t.Errorf("%s: %d of %+v", name, i, f.Workloads)
		}
	}
	o.Policy.Rules.Immutable = ImmutableRefuse
	if k := key(foreseen(t, o)); k.State != KeyBlocked || !strings.Contains(k.Reason, "policy") {
		t.Errorf("refused: %+v", k)
	}
}
