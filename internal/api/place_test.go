package api

import (
	"slices"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestMappingAPartOfAValue(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator, "root")
	data := map[string]vault.Value{
		"dsn":   vault.NewValue([]byte("postgres://app:" + accountValue + "@db/orders?sslmode=require")),
		"other": vault.NewValue([]byte(`{"db":{"password":"` + keyValue + `"}}`)),
		"plain": vault.NewValue([]byte(accountValue)),
	}
	s := e.secret
	s.ID, s.Name, s.Keys = newID(), "config", nil
	for name, v := range data {
		s.Keys = append(s.Keys, inventory.Key{Name: name, Size: int64(v.Len()), Fingerprint: e.ring.Fingerprint(v)})
	}
	e.addSecretOf(s, data)
	ask := func(key string, place *client.Place) client.NewMapping {
		return client.NewMapping{AccountID: e.account.ID, SecretID: s.ID, Key: key, Place: place}
	}

	c, err := admin.CompareMapping(ctx, ask("dsn", nil))
	ok(t, err)
	if c.Result != "differs" || len(c.Places) == 0 || c.Places[0] != (client.Place{Format: "url"}) {
		t.Errorf("the whole DSN: %+v", c)
	}
	c, err = admin.CompareMapping(ctx, ask("dsn", &c.Places[0]))
	ok(t, err)
	if c.Result != "equal" || !slices.ContainsFunc(c.Others, func(k client.KeyRef) bool { return k.Key == "plain" }) {
		t.Errorf("the password of the DSN: %+v", c)
	}
	c, err = admin.CompareMapping(ctx, ask("dsn", &client.Place{Format: "json", At: "/password"}))
	ok(t, err)
	if c.Result != "unreadable" || c.Reason == "" {
		t.Errorf("a DSN as JSON: %+v", c)
	}
	_, err = admin.AddMapping(ctx, ask("dsn", &client.Place{Format: "json", At: "/password"}))
	refused(t, err, 422, "part-unreadable")
	_, err = admin.AddMapping(ctx, ask("dsn", &client.Place{Format: "url", At: "/password"}))
	refused(t, err, 422, "part-spec")

	m, err := admin.AddMapping(ctx, ask("dsn", &client.Place{Format: "url"}))
	ok(t, err)
	if m.State != "in_sync" || m.Place == nil || *m.Place != (client.Place{Format: "url"}) {
		t.Errorf("mapped: %+v", m)
	}
	place := &client.Place{Format: "json", At: "/db/password"}
	_, err = admin.AddMapping(ctx, ask("other", place))
	refused(t, err, 409, "differs")
	keep := ask("other", place)
	keep.Keep = "cluster"
	other, err := admin.AddMapping(ctx, keep)
	ok(t, err)
	if other.State != "in_sync" || other.Written != 2 {
		t.Errorf("what stands in the JSON became the account's: %+v", other)
	}
	if m, err = admin.Mapping(ctx, m.ID); err != nil || m.State != "behind" {
		t.Errorf("the DSN is behind: %+v, %v", m, err)
	}
	revealed, err := admin.Reveal(ctx, e.account.ID, client.Reveal{})
	ok(t, err)
	if revealed.Value.Text() != keyValue {
		t.Error("the account does not have what stood in the JSON")
	}
}

func TestTheClientKnowsEveryFormat(t *testing.T) {
	var all []string
	for _, f := range composite.Formats() {
		all = append(all, string(f))
	}
	if !slices.Equal(all, client.PlaceFormats()) {
		t.Errorf("the client has %q, want %q", client.PlaceFormats(), all)
	}
}
