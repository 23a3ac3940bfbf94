package inventory

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestPlan(t *testing.T) {
	whole, named := Scope{WholeCluster: true}, Scope{Namespaces: []string{"a", "b", "ab"}}
	many := func(ns string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("%s/s%02d", ns, i))
		}
		return all
	}
	var spaces []string
	for i := range maxLists + 1 {
		spaces = append(spaces, fmt.Sprintf("n%02d", i))
	}
	everything := []unit{{}}
	for _, c := range []struct {
		name   string
		scope  Scope
		chosen []Selection
		have   []Place
		want   []unit
	}{
		{"nothing", whole, nil, nil, nil},
		{"all of the cluster", whole, []Selection{{Secrets: []string{"a/x"}}, {All: true}}, nil, everything},
		{"all of a narrow scope", named, []Selection{{All: true}}, nil, []unit{{namespace: "a"}, {namespace: "ab"}, {namespace: "b"}}},
		{"a namespace outside of the scope is asked for", named, []Selection{{Namespaces: []string{"z"}}}, nil, []unit{{namespace: "z"}}},
		{"namespaces", whole, []Selection{{Namespaces: []string{"b", "a"}}}, nil, []unit{{namespace: "a"}, {namespace: "b"}}},
		{"very many namespaces", whole, []Selection{{Namespaces: spaces}}, nil, everything},
		{"a rule with a pattern", whole, []Selection{{Rule: &Rule{Namespaces: []string{"a*"}}}}, nil, everything},
		{"a rule with a pattern in a narrow scope", named, []Selection{{Rule: &Rule{Namespaces: []string{"a*"}}}}, nil, []unit{{namespace: "a"}, {namespace: "ab"}}},
		{"a rule with names", whole, []Selection{{Rule: &Rule{Namespaces: []string{"q"}, Names: []string{"*"}}}}, nil, []unit{{namespace: "q"}}},
		{"singles", whole, []Selection{{Secrets: []string{"a/y", "a/x"}}}, []Place{{"a", "x"}, {"b", "z"}}, []unit{{"a", []string{"x", "y"}}, {"b", []string{"z"}}}},
		{"singles of a listed namespace", whole, []Selection{{Secrets: []string{"a/y"}, Namespaces: []string{"a"}}}, nil, []unit{{namespace: "a"}}},
		{"many singles", whole, []Selection{{Secrets: many("a", maxReads+1)}}, nil, []unit{{namespace: "a"}}},
	} {
		if diff := cmp.Diff(c.want, plan(c.scope, c.chosen, c.have), cmp.AllowUnexported(unit{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name     string
		have     Stored
		uid, rv  string
		wantSame comparison
	}{
		{"same", Stored{UID: "u", ResourceVersion: "9"}, "u", "9", same},
		{"newer", Stored{UID: "u", ResourceVersion: "9"}, "u", "10", newer},
		{"earlier", Stored{UID: "u", ResourceVersion: "10"}, "u", "9", earlier},
		{"no numbers", Stored{UID: "u", ResourceVersion: "b"}, "u", "a", newer},
		{"made anew", Stored{UID: "u", ResourceVersion: "10"}, "v", "9", newer},
		{"a tombstone that is there", Stored{UID: "u", ResourceVersion: "9", Gone: true}, "u", "9", newer},
	} {
		if got := compare(c.have, Seen{UID: c.uid, ResourceVersion: c.rv}); got != c.wantSame {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestJudge(t *testing.T) {
	a, b := &vault.Fingerprint{1}, &vault.Fingerprint{2}
	is := func(s KeyState) MappedKey { return MappedKey{State: s, UID: "u", Expected: a, Before: a} }
	unknown := MappedKey{State: InSync, UID: "u", Before: a}
	for _, c := range []struct {
		name    string
		m       MappedKey
		uid     string
		now     *vault.Fingerprint
		written bool
		state   KeyState
		expect  *vault.Fingerprint
	}{
		{"equal", is(InSync), "u", a, false, InSync, a},
		{"other value", is(InSync), "u", b, false, Drift, a},
		{"other value, nothing noted", unknown, "u", b, false, Drift, a},
		{"right again", is(Drift), "u", a, false, InSync, a},
		{"key gone", is(InSync), "u", nil, false, Drift, a},
		{"made anew", is(Tombstone), "v", a, false, Drift, a},
		{"back with the same uid", is(Tombstone), "u", a, false, InSync, a},
		{"written", is(Drift), "u", b, true, InSync, b},
		{"a conflict stays", is(Conflict), "u", b, false, Conflict, a},
		{"a conflict that went away", is(Conflict), "u", a, false, InSync, a},
		{"behind stays", is(Behind), "u", b, false, Behind, a},
		{"hands off stays", is(HandsOff), "u", nil, false, HandsOff, a},
		{"nothing to compare with", MappedKey{State: Drift, UID: "u"}, "u", b, false, Drift, nil},
	} {
		got := c.m.Judge(c.uid, c.now, c.written)
		if diff := cmp.Diff(c.expect, got.Expected); diff != "" || got.State != c.state || got.State == Drift && c.m.Expected != nil && got.Reason == "" {
			t.Errorf("%s: %s (%q) %s", c.name, got.State, got.Reason, diff)
		}
	}
}

func TestWrote(t *testing.T) {
	a, b, c := &vault.Fingerprint{1}, &vault.Fingerprint{2}, &vault.Fingerprint{3}
	is := func(s KeyState, stored *vault.Fingerprint) MappedKey {
		return MappedKey{State: s, Reason: "why", UID: "u", Expected: a, Before: stored}
	}
	at := func(version string) Stored { return Stored{UID: "u", ResourceVersion: version} }
	for _, x := range []struct {
		name  string
		m     MappedKey
		have  Stored
		state KeyState
	}{
		{"the proved state is stored", is(Behind, b), at("10"), InSync},
		{"an earlier state is stored", is(Behind, a), at("9"), InSync},
		{"versions that are no numbers", is(Drift, a), at("x"), InSync},
		{"the value was changed since", is(Drift, c), at("11"), Drift},
		{"the old value was put back since", is(InSync, a), at("11"), Drift},
		{"another key was changed since", is(Drift, b), at("11"), InSync},
		{"a run's state ends, with a change since", is(Behind, c), at("11"), Drift},
		{"a refusal ends, with the key gone since", is(Blocked, nil), at("11"), Drift},
		{"a conflict stays with a change since", is(Conflict, c), at("11"), Conflict},
		{"a conflict ends with the write", is(Conflict, a), at("10"), InSync},
		{"made anew since", is(Drift, b), Stored{UID: "v", ResourceVersion: "11"}, Drift},
		{"deleted since", is(Tombstone, a), Stored{UID: "u", ResourceVersion: "9", Gone: true}, Tombstone},
	} {
		got := x.m.Wrote(x.have, "10", *b)
		if got.State != x.state || *got.Expected != *b || (got.State == InSync) != (got.Reason == "") {
			t.Errorf("%s: %s (%q), expects %v", x.name, got.State, got.Reason, got.Expected)
		}
	}
}

func TestOvertaken(t *testing.T) {
	for _, c := range []struct {
		name    string
		have    Stored
		uid, rv string
		want    bool
	}{
		{"the same", Stored{UID: "u", ResourceVersion: "9"}, "u", "9", false},
		{"newer", Stored{UID: "u", ResourceVersion: "9"}, "u", "10", false},
		{"earlier", Stored{UID: "u", ResourceVersion: "10"}, "u", "9", true},
		{"of the one before", Stored{UID: "v", ResourceVersion: "10"}, "u", "9", true},
		{"of the one after", Stored{UID: "u", ResourceVersion: "9"}, "v", "10", false},
		{"deleted since", Stored{UID: "u", ResourceVersion: "9", Gone: true}, "u", "10", true},
		{"made anew after it was deleted", Stored{UID: "u", ResourceVersion: "9", Gone: true}, "v", "10", false},
	} {
		if got := overtaken(c.have, Seen{UID: c.uid, ResourceVersion: c.rv}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestJoinSelections(t *testing.T) {
	rule := &Rule{Names: []string{"a*"}}
	var all []Selection
	for _, s := range []Selection{{Namespaces: []string{"b"}}, {Secrets: []string{"x/y"}, Rule: rule}, {Namespaces: []string{"a", "b"}}, {Rule: &Rule{Names: []string{"a*"}}}} {
		all = JoinSelections(all, s)
	}
	want := []Selection{{Namespaces: []string{"a", "b"}, Secrets: []string{"x/y"}}, {Rule: rule}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, JoinSelections(want, Selection{Secrets: []string{"x/y"}, Rule: rule})); diff != "" {
		t.Error("the same again:", diff)
	}
}

func TestFetchOutcome(t *testing.T) {
	f := &Fetcher{MaxTries: 3, Backoff: time.Second, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	now := time.Now()
	down := fault.New(fault.Unavailable, "no answer").WithCode("cluster-unreachable").WithCure("try later")
	for _, c := range []struct {
		name  string
		err   error
		tries int64
		state FetchState
		wait  time.Duration
	}{
		{"done", nil, 2, FetchDone, 0},
		{"first try", down, 0, FetchWaiting, time.Second},
		{"second try", down, 1, FetchWaiting, 2 * time.Second},
		{"last try", down, 2, FetchFailed, 0},
		{"asked to wait", fault.New(fault.Throttled, "busy").WithRetryAfter(time.Minute), 0, FetchWaiting, time.Minute},
		{"asked to wait for ever", fault.New(fault.Throttled, "busy").WithRetryAfter(time.Hour), 0, FetchWaiting, maxBackoff},
		{"somebody must do something", fault.New(fault.Denied, "no right"), 0, FetchFailed, 0},
		{"not trusted", fault.New(fault.Unavailable, "its certificate").WithCode("cluster-untrusted"), 0, FetchFailed, 0},
		{"internal", errors.New("secret detail"), 0, FetchFailed, 0},
	} {
		got, ev := f.outcome(Fetch{Tries: c.tries}, c.err, now)
		wait := time.Duration(0)
		if !got.NotBefore.IsZero() {
			wait = got.NotBefore.Sub(now)
		}
		if got.State != c.state || wait != c.wait || (got.Reason == "") != (c.err == nil) || got.Reason == "secret detail" || ev.Reason != got.Reason {
			t.Errorf("%s: %s after %v, %q", c.name, got.State, wait, got.Reason)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var p Problems
	for range maxProblems + 7 {
		p = p.with(Problem{Name: "x"})
	}
	if len(p.First) != maxProblems || p.More != 7 {
		t.Errorf("%d and %d more", len(p.First), p.More)
	}
}

func TestAnEndlessClusterIsRefused(t *testing.T) {
	page := []Seen{{Namespace: "a", Name: "b", Data: map[string]vault.Value{"k": vault.NewValue([]byte("v"))}}}
	for name, w := range map[string]*fetching{
		"pages": {answers: maxAnswers}, "Secrets": {job: Fetch{Counts: Counts{Total: maxTotal}}}, "bytes": {bytes: maxBytes},
	} {
		if err := w.take(page); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("too many %s: %v", name, err)
		}
	}
	if err := (&fetching{}).take(page); err != nil {
		t.Error(err)
	}
}
