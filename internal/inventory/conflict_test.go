package inventory

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestWhatDivergesIsWhatTheVaultHadBefore(t *testing.T) {
	fp := func(b byte) vault.Fingerprint { return vault.Fingerprint{b} }
	was := map[string]vault.Fingerprint{"changed": fp(1), "gone": fp(2), "kept": fp(3), "mapped": fp(4)}
	now := []Key{{Name: "added", Fingerprint: fp(9)}, {Name: "changed", Fingerprint: fp(5)}, {Name: "kept", Fingerprint: fp(3)}, {Name: "mapped", Fingerprint: fp(6)}}
	mapped := func(key string) bool { return key == "mapped" }
	print := func(b byte) *vault.Fingerprint { f := fp(b); return &f }
	first := Diverged(nil, was, 7, now, mapped)
	want := []DivergentKey{{Name: "added", Version: 7, There: true}, {Name: "changed", Version: 7, Fingerprint: print(1), There: true}, {Name: "gone", Version: 7, Fingerprint: print(2)}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Fatalf("after one change: %s", diff)
	}
	// What was wanted before the first change stays wanted, and what is as it was again differs no more.
	later := []Key{{Name: "changed", Fingerprint: fp(8)}, {Name: "gone", Fingerprint: fp(2)}, {Name: "kept", Fingerprint: fp(7)}, {Name: "mapped", Fingerprint: fp(6)}}
	second := Diverged(first, prints(now), 8, later, mapped)
	want = []DivergentKey{{Name: "changed", Version: 7, Fingerprint: print(1), There: true}, {Name: "kept", Version: 8, Fingerprint: print(3), There: true}}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("after another: %s", diff)
	}
	if rest := Diverged(second, prints(later), 9, []Key{{Name: "changed", Fingerprint: fp(1)}, {Name: "gone", Fingerprint: fp(2)}, {Name: "kept", Fingerprint: fp(3)}}, mapped); len(rest) > 0 {
		t.Errorf("when all is as it was: %+v", rest)
	}
}

func TestWhoeverWritesEachTimeIsLetWin(t *testing.T) {
	now := time.Now()
	var d Divergence
	for n := range mostHeals {
		var may bool
		if d, may = d.healed(now.Add(time.Duration(n) * time.Minute)); !may || d.Heals != n+1 {
			t.Fatalf("heal %d: %v, counted %d", n+1, may, d.Heals)
		}
	}
	if _, may := d.healed(now.Add(healsWithin)); may {
		t.Error("a fight goes on")
	}
	if after, may := d.healed(now.Add(healsWithin + time.Second)); !may || after.Heals != 1 {
		t.Errorf("after a while: %v, counted %d", may, after.Heals)
	}
	d.WantedBy = identity.Actor{ID: "u1"}
	if _, may := d.healed(now); !may {
		t.Error("a person's wish was refused")
	}
}
