package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

func same(t *testing.T, what string, got, want []client.Duplicate) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestDuplicates(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator, "root")
	value := func(s string) vault.Value { return vault.NewValue([]byte(s)) }
	first := e.addData("first", map[string]vault.Value{"password": value("shared among all"), "port": value("5432"), "own": value("nobody else's")})
	e.addData("second", map[string]vault.Value{"password": value("shared among all"), "PASSWORD": value("shared among all"), "port": value("5432"), "empty": value("")})

	// The estate's account holds what its Secret has in the key "same", which is not mapped.
	p, err := admin.Duplicates(ctx, client.DuplicateFilter{})
	ok(t, err)
	want := []client.Duplicate{
		{ID: e.alias("shared among all"), Keys: 3, Namespaces: 1, Clusters: 1, Example: p.Items[0].Example},
		{ID: e.alias(accountValue), Keys: 1, Namespaces: 1, Clusters: 1, Accounts: 1, Example: "prod/shop/db/same"},
	}
	same(t, "all", p.Items, want)
	if !strings.HasPrefix(p.Items[0].Example, "prod/shop/") || p.Total != 2 || p.Counts["with_account"] != 1 || p.Counts["keys_only"] != 1 {
		t.Errorf("example %q, total %d, counts %v", p.Items[0].Example, p.Total, p.Counts)
	}
	var byOne []client.Duplicate
	for d, err := range client.All(func(cursor string) (client.Page[client.Duplicate], error) {
		return admin.Duplicates(ctx, client.DuplicateFilter{Limit: 1, Cursor: cursor})
	}) {
		ok(t, err)
		byOne = append(byOne, d)
	}
	same(t, "one at a time", byOne, want)
	of, err := admin.Duplicates(ctx, client.DuplicateFilter{Of: first.ID})
	ok(t, err)
	same(t, "of one Secret", of.Items, want[:1])
	if of, err = admin.Duplicates(ctx, client.DuplicateFilter{Of: e.account.ID}); err != nil || len(of.Items) != 1 || of.Items[0].ID != want[1].ID {
		t.Errorf("of an account: %+v, %v", of.Items, err)
	}
	places, err := admin.DuplicatePlaces(ctx, want[1].ID, client.HolderFilter{})
	ok(t, err)
	if len(places.Items) != 2 || places.Items[0].AccountName != "app_rw" || places.Items[1].Key != "same" || places.Items[1].Mapped || !places.Items[1].Can["map"].Allowed {
		t.Errorf("places: %+v", places.Items)
	}

	_, err = admin.AddMapping(ctx, client.NewMapping{AccountID: e.account.ID, SecretID: e.secret.ID, Key: "same"})
	ok(t, err)
	if p, err = admin.Duplicates(ctx, client.DuplicateFilter{}); err != nil || len(p.Items) != 1 || p.Total != 1 {
		t.Errorf("a key and the account it is mapped to are listed as equal: %+v, %v", p.Items, err)
	}

	// Who may not reveal two of the places is told of no value, nor that this one is held.
	for level, groups := range map[policy.Level]int{policy.None: 0, policy.View: 0, policy.Use: 0, policy.Reveal: 1, policy.Manage: 1} {
		reader, who := e.as(identity.Operator, "reader-"+level.String())
		if level > policy.None {
			e.grant(who, access.Account, first.ID, policy.Manage)
			e.grant(who, access.Resource, e.space.ID, level)
		}
		p, err := reader.Duplicates(ctx, client.DuplicateFilter{})
		ok(t, err)
		_, one := reader.Duplicate(ctx, want[0].ID)
		_, places := reader.DuplicatePlaces(ctx, want[0].ID, client.HolderFilter{})
		if len(p.Items) != groups || int(p.Total) != groups || (one == nil) != (groups > 0) || (places == nil) != (groups > 0) {
			t.Errorf("%s: %+v; one: %v; its places: %v", level, p, one, places)
		}
	}
}

// Fingerprints stay in the server: whoever had one could look for it in a copy of the repository.
func TestNoAnswerHoldsAFingerprint(t *testing.T) {
	x := newExposed(t)
	id := x.twice()
	print := x.ring.Fingerprint(vault.NewValue([]byte(keyValue))).String()
	for _, path := range []string{"/duplicates?limit=1", "/duplicates/" + id, "/duplicates/" + id + "/places?limit=1"} {
		got := x.put(question{method: http.MethodGet, path: path}, x.admin)
		if got.status != http.StatusOK || strings.Contains(string(got.body), print) || !json.Valid([]byte(got.body)) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	for _, cursor := range []string{"1", "x." + id, "1." + id[1:], "1." + id + "0", print} {
		if got := x.put(question{method: http.MethodGet, path: "/duplicates?cursor=" + cursor}, x.admin); got.status != http.StatusUnprocessableEntity && got.status != http.StatusBadRequest {
			t.Errorf("cursor %s: %d %s", cursor, got.status, got.body)
		}
	}
}
