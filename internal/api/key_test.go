package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

func TestDataKeysAreListedReplacedAndRemoved(t *testing.T) {
	e := newEstate(t)
	admin, _ := e.as(identity.Administrator)
	ctx := t.Context()
	keys, err := admin.Keys(ctx)
	ok(t, err)
	if len(keys) != 1 || keys[0].ID != "1" || keys[0].State != "active" || keys[0].Records == 0 || keys[0].Uses == 0 || keys[0].MadeAt.IsZero() || keys[0].RetiredAt != nil {
		t.Fatalf("%+v", keys)
	}
	refused(t, admin.RemoveKey(ctx, "1"), http.StatusConflict, "key-active")
	for _, id := range []string{"2", "99", "x", "-1", "4294967296"} { // the second is the fingerprint key
		refused(t, admin.RemoveKey(ctx, id), http.StatusNotFound, "not-found")
	}
	made, err := admin.RotateKey(ctx)
	ok(t, err)
	if made.Active != "4" || len(made.Items) != 2 || made.Items[0].ID != "4" || made.Items[0].State != "active" || made.Items[1].State != "retired" || made.Items[1].RetiredAt == nil {
		t.Fatalf("%+v", made)
	}
	err = admin.RemoveKey(ctx, "1")
	refused(t, err, http.StatusConflict, "key-in-use")
	if p, isProblem := err.(*client.Problem); !isProblem || !strings.Contains(p.Cause, "records are sealed with the data key 1") {
		t.Errorf("the refusal does not say how many: %v", err)
	}
	x := &exposed{estate: e}
	old := x.spentKey() // the second one, which nothing was sealed with
	ok(t, admin.RemoveKey(ctx, old))
	if keys, err = admin.Keys(ctx); err != nil || len(keys) != 2 || keys[1].ID != "1" {
		t.Errorf("%+v, %v", keys, err)
	}
	// Five were refused as ids of nothing; that a key is in use is no matter of rights.
	if evs := e.events("key.remove"); len(evs) != 6 || evs[0].Object.ID != old || evs[0].Actor.Name != "administrator1" {
		t.Errorf("%+v", evs)
	}
	change, err := admin.ChangeRoot(ctx, client.NextRoot{})
	if err != nil || !change.Changed || len(e.events("key.root")) != 1 {
		t.Errorf("%+v, %v", change, err)
	}
}
