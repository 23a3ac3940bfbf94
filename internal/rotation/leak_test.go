package rotation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanLeak(t *testing.T) {
	on := func(resource, name string, change func(*Exposed)) Exposed {
		x := Exposed{AccountID: resource + "." + name, AccountName: name, ResourceID: resource, ResourceName: resource, Current: true}
		if change != nil {
			change(&x)
		}
		return x
	}
	repairs := func(resources ...string) func(*Exposed) { return func(x *Exposed) { x.Repairs = resources } }
	for name, c := range map[string]struct {
		all  []Exposed
		want []string // "order action account after"
	}{
		"none":            {nil, nil},
		"by name":         {[]Exposed{on("b", "x", nil), on("a", "y", nil)}, []string{"1 turn a.y ", "1 turn b.x "}},
		"repairers later": {[]Exposed{on("db", "admin", repairs("db")), on("db", "app", nil)}, []string{"1 turn db.app ", "2 waits db.admin db.app"}},
		"a chain": {[]Exposed{on("a", "root", repairs("b")), on("b", "admin", repairs("c")), on("c", "app", nil)},
			[]string{"1 turn c.app ", "2 waits b.admin c.app", "3 waits a.root b.admin"}},
		"repairs what is not here": {[]Exposed{on("db", "admin", repairs("other"))}, []string{"1 turn db.admin "}},
		"waits for a run, not for what is skipped": {[]Exposed{on("db", "admin", repairs("db")), on("db", "app", func(x *Exposed) { x.OpenRun = "r1" }),
			on("db", "old", func(x *Exposed) { x.Current, x.Previous = false, true })},
			[]string{"1 runs db.app ", "2 waits db.admin db.app", "0 skip db.old "}},
		"only a skipped one to repair": {[]Exposed{on("db", "admin", repairs("db")), on("db", "old", func(x *Exposed) { x.Current = false })},
			[]string{"1 turn db.admin ", "0 skip db.old "}},
		"a circle": {[]Exposed{on("a", "x", repairs("b")), on("b", "y", repairs("a"))}, []string{"1 turn a.x ", "2 waits b.y a.x"}},
		"pending, pair, key": {[]Exposed{on("a", "p", func(x *Exposed) { x.Current, x.Pending = false, true }),
			on("b", "q", func(x *Exposed) { x.Current, x.Previous, x.Strategy = false, true, Alternating }), on("c", "k", func(x *Exposed) { x.Current, x.InKeys = false, 3 })},
			[]string{"1 turn a.p ", "1 turn b.q ", "1 turn c.k "}},
	} {
		var got []string
		for _, s := range PlanLeak(c.all) {
			got = append(got, fmt.Sprintf("%d %s %s %s", s.Order, s.Action, s.AccountID, strings.Join(s.After, ",")))
			if s.Reason == "" {
				t.Errorf("%s: %s has no reason", name, s.AccountID)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
