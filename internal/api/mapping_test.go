package api

import (
	"net/http"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestMappingNeedsBothSides(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	mia, u := e.as(identity.PlainUser, "mia")
	ask := client.NewMapping{AccountID: e.account.ID, SecretID: e.secret.ID, Key: "same"}
	e.grant(u, access.Account, e.account.ID, policy.Manage)
	for name, call := range map[string]func() error{
		"compare": func() error { _, err := mia.CompareMapping(ctx, ask); return err },
		"map":     func() error { _, err := mia.AddMapping(ctx, ask); return err },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: allowed without a right on the Secret", name)
		} else {
			refused(t, err, http.StatusNotFound, "not-found")
		}
	}
	if got := len(e.events("mapping.create")); got != 2 {
		t.Errorf("%d refusals are recorded, want 2", got)
	}
	e.grant(u, access.Account, e.secret.ID, policy.Manage)
	found, err := mia.CompareMapping(ctx, ask)
	ok(t, err)
	if found.Result != "equal" {
		t.Errorf("compared: %+v", found)
	}
	made, err := mia.AddMapping(ctx, ask)
	ok(t, err)
	if made.State != "in_sync" || made.Written != 1 || made.Key != "same" || made.ClusterName != "prod" || made.AccountName != "app_rw" || !made.Can["delete"].Allowed {
		t.Errorf("made: %+v", made)
	}
	_, err = mia.AddMapping(ctx, ask)
	refused(t, err, http.StatusConflict, "key-mapped")
	account, err := mia.Account(ctx, e.account.ID)
	ok(t, err)
	if account.Mappings["in_sync"] != 1 || account.Can["delete"].Allowed || !account.Can["update"].Allowed {
		t.Errorf("mapped account: %+v", account)
	}
	secret, err := mia.Secret(ctx, e.secret.ID)
	ok(t, err)
	if secret.MappedKeys != 1 || secret.Mappings[made.State] != 1 || secret.Keys[2].Mapping == nil || secret.Keys[2].Mapping.ID != made.ID || secret.Keys[1].Mapping != nil {
		t.Errorf("secret: %+v", secret.Keys)
	}
	ok(t, mia.DeleteMapping(ctx, made.ID, made.Rev))
	_, err = mia.Mapping(ctx, made.ID)
	refused(t, err, http.StatusNotFound, "not-found")
	e.quiet()
}

func TestMappingAsksWhichSideIsRight(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator)
	ask := client.NewMapping{AccountID: e.account.ID, SecretID: e.secret.ID, Key: "password"}
	found, err := admin.CompareMapping(ctx, ask)
	ok(t, err)
	if found.Result != "differs" || len(found.Others) != 1 || found.Others[0].Key != "same" {
		t.Errorf("compared: %+v", found)
	}
	_, err = admin.AddMapping(ctx, ask)
	refused(t, err, http.StatusConflict, "differs")
	ask.Keep = "cluster"
	made, err := admin.AddMapping(ctx, ask)
	ok(t, err)
	if made.State != "in_sync" || made.Written != 2 || made.Current != 2 {
		t.Errorf("made: %+v", made)
	}
	page, err := admin.Mappings(ctx, client.MappingFilter{Cluster: "prod", ListOptions: client.ListOptions{Sort: "-accountName"}})
	ok(t, err)
	if page.Total != 1 || page.Counts["in_sync"] != 1 {
		t.Errorf("page: %+v", page)
	}
	e.quiet()
}

// Other keys with the same value are named only as far as the caller may know of their Secrets.
func TestComparisonNamesWhatTheCallerMaySee(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	mia, u := e.as(identity.PlainUser, "mia")
	second := e.secret
	second.ID, second.Name = newID(), "mine"
	e.addSecret(second)
	e.grant(u, access.Account, e.account.ID, policy.Manage)
	e.grant(u, access.Account, second.ID, policy.Manage)
	found, err := mia.CompareMapping(ctx, client.NewMapping{AccountID: e.account.ID, SecretID: second.ID, Key: "password"})
	ok(t, err)
	if len(found.Others) != 1 || found.Others[0].SecretID != second.ID {
		t.Errorf("others: %+v", found.Others)
	}
}

// A comparison answers whether two values are the same, so each is recorded, with what it told; what tells the same (a
// mapping that is refused because they differ) too; and nobody may ask as often as it takes to guess.
func TestComparisonsAreRecordedAndLimited(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	mia, u := e.as(identity.PlainUser, "mia")
	e.grant(u, access.Account, e.account.ID, policy.Manage)
	e.grant(u, access.Account, e.secret.ID, policy.Manage)
	e.server.limits = newLimits(Limits{Compare: Rate{PerSecond: 0.001, Burst: 4}})
	ask := func(key string) client.NewMapping {
		return client.NewMapping{AccountID: e.account.ID, SecretID: e.secret.ID, Key: key}
	}
	for _, key := range []string{"password", "same", "echo-no-such-key"} {
		_, err := mia.CompareMapping(ctx, ask(key))
		ok(t, err)
	}
	_, err := mia.AddMapping(ctx, ask("password"))
	refused(t, err, http.StatusConflict, "differs")
	_, err = mia.CompareMapping(ctx, ask("same"))
	refused(t, err, http.StatusTooManyRequests, "too-many-requests")
	_, err = mia.AddMapping(ctx, ask("same"))
	refused(t, err, http.StatusTooManyRequests, "too-many-requests")
	keep := ask("same")
	keep.Keep = "vault" // which tells nothing
	_, err = mia.AddMapping(ctx, keep)
	ok(t, err)
	var got []string
	for _, ev := range e.events("mapping.compare") {
		if ev.Actor.ID != u.ID || ev.Object.ID != e.account.ID || ev.Object.Name != "app_rw" || ev.Details["secret"] != e.secret.ID || ev.RequestID == "" {
			t.Errorf("recorded: %+v", ev)
		}
		got = append(got, ev.Details["key"]+" "+ev.Details["result"])
	}
	if want := []string{"password differs", " key_missing", "same equal", "password differs"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	e.quiet()
}

func TestUnmappedKeysAreListed(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator)
	mia, u := e.as(identity.PlainUser, "mia")
	e.grant(u, access.Account, e.secret.ID, policy.View)
	second := e.secret
	second.ID, second.Name = newID(), "other"
	e.addSecret(second)
	open := func(c *client.Client) (out []string) {
		t.Helper()
		page, err := c.Secrets(ctx, client.SecretFilter{Resource: "shop-prod", Unmapped: true})
		ok(t, err)
		if int(page.Total) != len(page.Items) {
			t.Errorf("%d of %d Secrets", len(page.Items), page.Total)
		}
		for _, x := range page.Items {
			for _, k := range x.Keys {
				out = append(out, x.Name+":"+k.Name)
			}
		}
		return out
	}
	var mapped []client.Mapping
	for _, key := range []string{"password", "same", "binary"} {
		m, err := admin.AddMapping(ctx, client.NewMapping{AccountID: e.account.ID, SecretID: e.secret.ID, Key: key, Keep: "vault"})
		ok(t, err)
		mapped = append(mapped, m)
	}
	if got := open(admin); !slices.Equal(got, []string{"other:binary", "other:password", "other:same"}) {
		t.Errorf("an administrator sees %q", got)
	}
	if got := open(mia); got != nil {
		t.Errorf("with every key mapped to an account that she may not know of, mia sees %q", got)
	}
	ok(t, admin.DeleteMapping(ctx, mapped[1].ID, mapped[1].Rev))
	if got := open(mia); !slices.Equal(got, []string{"db:same"}) {
		t.Errorf("mia sees %q", got)
	}
	page, err := admin.Secrets(ctx, client.SecretFilter{})
	ok(t, err)
	if len(page.Items) != 2 || page.Items[0].Keys != nil {
		t.Errorf("a list of Secrets has keys: %+v", page.Items)
	}
}
