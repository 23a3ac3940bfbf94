package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestADatabaseIsOlderThanWhatIsOutside(t *testing.T) {
	head := func(size int64, hash byte) audit.Head { return audit.Head{Size: size, Hash: [32]byte{hash}} }
	for name, x := range map[string]struct {
		inside, outside, then audit.Head
		want                  bool
	}{
		"the same":                     {head(7, 1), head(7, 1), head(7, 1), false},
		"outside lags":                 {head(9, 2), head(7, 1), head(7, 1), false},
		"outside is ahead":             {head(7, 1), head(9, 2), audit.Head{}, true},
		"of one size but another log":  {head(7, 1), head(7, 3), head(7, 1), true},
		"grown past it in another way": {head(9, 2), head(7, 3), head(7, 1), true},
		"it never had that size":       {head(9, 2), head(8, 3), audit.Head{}, true},
		"nothing inside":               {audit.Head{}, head(1, 1), audit.Head{}, true},
	} {
		if got := IsOlder(x.inside, x.outside, x.then); got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestALossThatWasAcceptedIsKnown(t *testing.T) {
	signed := time.Now()
	r := Restore{Inside: 10, Outside: 20, OutsideAt: signed, EndedAt: signed.Add(time.Hour)}
	open := r
	open.EndedAt = time.Time{}
	for name, x := range map[string]struct {
		r    Restore
		head audit.Head
		want bool
	}{
		"that head":                        {r, audit.Head{Size: 20, At: signed}, true},
		"one before it":                    {r, audit.Head{Size: 15, At: signed.Add(-time.Minute)}, true},
		"a later one of the log that went": {r, audit.Head{Size: 21, At: signed.Add(time.Second)}, false},
		"one of the log that came after":   {r, audit.Head{Size: 15, At: signed.Add(2 * time.Hour)}, false},
		"nobody has accepted it yet":       {open, audit.Head{Size: 20, At: signed}, false},
	} {
		if got := x.r.Known(x.head); got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFewValuesAreTriedAndEachOnce(t *testing.T) {
	of := func(n ...byte) (all []candidate) {
		for _, x := range n {
			all = append(all, candidate{what: fmt.Sprint(x), print: vault.Fingerprint{x}})
		}
		return all
	}
	refused := func(n ...byte) (all []Tried) {
		for _, x := range n {
			all = append(all, Tried{Print: vault.Fingerprint{x}})
		}
		return all
	}
	for name, x := range map[string]struct {
		all   []candidate
		tried []Tried
		want  string
		left  int
	}{
		"all at once":                {of(1, 2, 3), nil, "1 2 3", 0},
		"one value in many places":   {of(1, 2, 2, 1, 3), nil, "1 2 3", 0},
		"the rest another time":      {of(1, 2, 3, 4, 5), nil, "1 2 3", 2},
		"then":                       {of(1, 2, 3, 4, 5), refused(1, 2, 3), "1 4 5", 0},
		"the current one always":     {of(1, 2), refused(1), "1 2", 0},
		"and over again in the end":  {of(1, 2, 3), refused(1, 2, 3), "1 2 3", 0},
		"a new value before others":  {of(1, 2, 9), refused(1, 2), "1 9", 0},
		"nothing is known":           {nil, refused(1), "", 0},
		"over again, still only few": {of(1, 2, 3, 4), refused(1, 2, 3, 4), "1 2 3", 1},
	} {
		try, left := candidates(x.all, x.tried, 3)
		var got []string
		for _, c := range try {
			got = append(got, c.what)
		}
		if strings.Join(got, " ") != x.want || left != x.left {
			t.Errorf("%s: %v and %d left", name, got, left)
		}
	}
}

// ledger is a store with one restored account of a world.
type ledger struct {
	*world
	row     RestoredAccount
	refused bool
	adopted *Adopted
	current int64
	logins  int
}

func (l *ledger) ClaimRestored(context.Context, string, time.Time) (RestoredAccount, error) {
	return l.row, nil
}

func (l *ledger) ResetAccount(context.Context, string) (Account, error) {
	return Account{ID: "acc", Name: "app", Current: l.current}, nil
}

func (l *ledger) StoredVersions(context.Context, string) (all []StoredVersion, err error) {
	for n, v := range l.versions {
		all = append(all, StoredVersion{n, v.stage})
	}
	slices.SortFunc(all, func(a, b StoredVersion) int { return int(b.Number - a.Number) })
	return all, nil
}

func (l *ledger) SettleRestored(_ context.Context, row RestoredAccount, refused bool, _ audit.Event) error {
	l.row, l.refused = row, refused
	return nil
}

func (l *ledger) AdoptRestored(_ context.Context, row RestoredAccount, adopted Adopted, _ audit.Event) error {
	l.row, l.adopted = row, &adopted
	return nil
}

// Open counts the logins.
func (l *ledger) Open(context.Context, string) (Target, error) { return counted{l}, nil }

type counted struct{ l *ledger }

func (c counted) Remote() bool     { return c.l.Remote() }
func (c counted) Reconciled() bool { return c.l.Reconciled() }
func (c counted) Generate(ctx context.Context, p string) (vault.Value, error) {
	return c.l.Generate(ctx, p)
}
func (c counted) Issues() bool                               { return false }
func (c counted) Home(v vault.Value) (Home, error)           { return c.l.Home(v) }
func (c counted) Prepare(v vault.Value) (vault.Value, error) { return c.l.Prepare(v) }
func (c counted) Change(ctx context.Context, a, b, p vault.Value) (Outcome, error) {
	c.l.t.Errorf("a reconciliation changed something")
	return c.l.Change(ctx, a, b, p)
}
func (c counted) As(string) Target { return c }
func (c counted) Rehearse(ctx context.Context, v vault.Value) (string, error) {
	return c.l.Rehearse(ctx, v)
}
func (c counted) Compare(ctx context.Context, v vault.Value, other string) ([]string, error) {
	return c.l.Compare(ctx, v, other)
}
func (c counted) Overlaps() bool { return false }
func (c counted) Add(ctx context.Context, a, b, p vault.Value) (Outcome, error) {
	return c.l.Add(ctx, a, b, p)
}
func (c counted) Drop(ctx context.Context, a, b, p vault.Value) (Outcome, error) {
	return c.l.Drop(ctx, a, b, p)
}
func (c counted) Login(ctx context.Context, v vault.Value) (Answer, error) {
	c.l.logins++
	return c.l.world.Login(ctx, v)
}
func (c counted) Prove(ctx context.Context, v vault.Value) (Answer, error) { return c.Login(ctx, v) }
func (c counted) ProveChange(ctx context.Context, _, v vault.Value) (Answer, bool, error) {
	a, err := c.Login(ctx, v)
	return a, false, err
}

func TestAfterARestoreTheValueThatLogsInIsFound(t *testing.T) {
	all := func(value string) map[string]string { return map[string]string{"s0": value, "s1": value, "s2": value} }
	for name, x := range map[string]struct {
		accepted string
		versions map[int64][2]string // beside the current one, 5
		secrets  map[string]string
		silent   bool
		generic  bool
		want     RestoredState
		words    string
		logins   int
		holds    int
	}{
		"the stored one":                   {accepted: "old", secrets: all("newer"), want: RestoredVerified, logins: 1},
		"the newest stands in its Secrets": {accepted: "newer", secrets: all("newer"), want: RestoredAdopted, words: "ns/s0 key password", logins: 2, holds: 3},
		"in one of them":                   {accepted: "newer", secrets: map[string]string{"s0": "old", "s1": "newer", "s2": "old"}, want: RestoredAdopted, logins: 2, holds: 1},
		"the one that was being set":       {accepted: "next", versions: map[int64][2]string{6: {"next", "pending"}}, secrets: all("old"), want: RestoredAdopted, words: "version 6 (pending)", logins: 2},
		"the one before":                   {accepted: "before", versions: map[int64][2]string{4: {"before", "previous"}}, secrets: all("old"), want: RestoredAdopted, words: "version 4 (previous)", logins: 2},
		"none":                             {accepted: "?", secrets: all("newer"), want: RestoredUnresolved, words: "refuses every value", logins: 2},
		"few are tried": {accepted: "?", versions: map[int64][2]string{6: {"next", "pending"}, 4: {"before", "previous"}}, secrets: map[string]string{"s0": "a", "s1": "b", "s2": "c"},
			want: RestoredUnresolved, words: "3 more values were not tried", logins: 3},
		"silence":                     {accepted: "newer", secrets: all("newer"), silent: true, want: RestoredUnresolved, words: "did not answer", logins: 1},
		"no system, keys agree":       {secrets: all("old"), generic: true, want: RestoredAgrees},
		"no system, keys are another": {secrets: all("newer"), generic: true, want: RestoredUndecided, words: "ns/s2 key password"},
		"no system, nothing to ask":   {secrets: map[string]string{}, generic: true, want: RestoredUnresolved, words: "not there any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.accepted, w.noRemote, w.versions = x.accepted, x.generic, map[int64]version{}
			w.keep(5, "old", "current")
			for n, v := range x.versions {
				w.keep(n, v[0], v[1])
			}
			for id, s := range w.secrets {
				value, there := x.secrets[strings.TrimPrefix(id, "c1/")]
				if s.data["password"] = value; !there {
					delete(w.secrets, id)
				}
			}
			if x.silent {
				w.faults["target:login"] = fails
			}
			l := &ledger{world: w, current: 5, row: RestoredAccount{AccountID: "acc", State: RestoredToCheck}}
			r := &Reconciler{Store: l, Vault: w.ring, Targets: l, Clusters: clusters{w}}
			if err := r.Check(t.Context(), "acc"); err != nil {
				t.Fatal(err)
			}
			if l.row.State != x.want || !strings.Contains(l.row.Reason, x.words) || l.logins != x.logins {
				t.Errorf("%s after %d logins: %s", l.row.State, l.logins, l.row.Reason)
			}
			if (l.adopted != nil) != (x.want == RestoredAdopted) {
				t.Fatalf("adopted: %+v", l.adopted)
			}
			if l.adopted != nil {
				value, err := w.ring.Open(vault.Record{Kind: "version", ID: "acc", Version: l.adopted.Version}, l.adopted.Sealed)
				if err != nil || text(value) != x.accepted || w.versions[l.adopted.Version].stage != "" || len(l.adopted.Holds) != x.holds {
					t.Errorf("%+v, %v", l.adopted, err)
				}
			}
			for _, value := range []string{"old", "newer", "next", "before"} {
				for _, shown := range []string{l.row.Reason, l.row.Cure} {
					if strings.Contains(shown, "\""+value+"\"") {
						t.Errorf("a value is shown: %s", shown)
					}
				}
			}
			if x.want == RestoredUnresolved && !x.silent && !x.generic && len(l.row.Tried) != min(x.logins, 3) {
				t.Errorf("tried: %+v", l.row.Tried)
			}
		})
	}
}
