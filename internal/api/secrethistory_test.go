package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestTheHistoryOfASecretSaysWhichKeysChanged(t *testing.T) {
	e := newEstate(t)
	e.clusterChanges(t, "password", "canary-another")
	auditor, _ := e.as(identity.Auditor)
	page, err := auditor.SecretVersions(t.Context(), e.secret.ID, client.VersionFilter{Limit: 1})
	ok(t, err)
	if len(page.Items) != 1 || page.Total != 2 || page.Next == "" {
		t.Fatalf("the first page is %+v", page)
	}
	second := page.Items[0]
	page, err = auditor.SecretVersions(t.Context(), e.secret.ID, client.VersionFilter{Limit: 1, Cursor: page.Next})
	ok(t, err)
	if d := cmp.Diff([]client.KeyChange{{Name: "password", Change: "changed"}}, second.Keys); d != "" || second.Number != 2 || second.Side != "cluster" || second.Can["reveal"].Allowed {
		t.Errorf("the second version is %+v %s", second, d)
	}
	want := []client.KeyChange{{Name: "binary", Change: "added"}, {Name: "password", Change: "added"}, {Name: "same", Change: "added"}}
	if d := cmp.Diff(want, page.Items[0].Keys); d != "" || page.Next != "" {
		t.Errorf("the first version is %+v %s", page.Items[0], d)
	}
	if _, err := auditor.SecretVersions(t.Context(), e.secret.ID, client.VersionFilter{Cursor: "nonsense"}); status(err) != 422 {
		t.Errorf("a cursor of nothing: %v", err)
	}

	somebody, u := e.as(identity.PlainUser)
	if _, err := somebody.SecretVersions(t.Context(), e.secret.ID, client.VersionFilter{}); status(err) != 404 {
		t.Errorf("who was granted nothing gets %v", err)
	}
	e.grant(u, access.Account, e.secret.ID, policy.View)
	if page, err = somebody.SecretVersions(t.Context(), e.secret.ID, client.VersionFilter{}); err != nil || len(page.Items) != 2 {
		t.Errorf("who may look gets %+v, %v", page, err)
	}
	e.quiet()
}
