package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestRoundUp(t *testing.T) {
	for size, want := range map[int64]int64{0: 0, 1: 64, 12: 64, 64: 64, 65: 256, 1024: 1024, 1025: 4096, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1} {
		if got := roundUp(size); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}

func TestSortWord(t *testing.T) {
	for word, want := range map[string]string{
		"": "", "name": "name", "-name": "-name", "createdAt": "created", "-updatedAt": "-updated", "created": "created", "namespace": "path",
		"-accountName": "-account", "checkedAt": "checked",
	} {
		if got := sortWord(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestAttachmentTakesHostileNames(t *testing.T) {
	for name, want := range map[string]string{
		"shop-db.json":          "shop-db.json",
		"a\"; x=\r\nSet-Cookie": "a___x___Set-Cookie",
		"../../etc/passwd":      "_.._etc_passwd",
		".hidden":               "hidden",
		"-rf.json":              "rf.json",
		"ключ":                  "____",
	} {
		if got := attachment(name); got != `attachment; filename="`+want+`"` {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if got := attachment(strings.Repeat("a", 400) + ".json"); len(got) > 250 || !strings.HasSuffix(got, `.json"`) {
		t.Errorf("a long name gave %s", got)
	}
}

func TestScopeGoesThereAndBack(t *testing.T) {
	for _, want := range []client.Scope{
		{Access: "read-only"},
		{Access: "read-write", Restart: true},
		{Access: "read-write", Namespaces: []string{"a", "b"}},
	} {
		if diff := cmp.Diff(want, scopeOf(scopeIn(want))); diff != "" {
			t.Error(diff)
		}
	}
	if got := scopeIn(client.Scope{}); !got.WholeCluster || got.ReadWrite {
		t.Errorf("an empty scope became %+v", got)
	}
}

func TestPolicyText(t *testing.T) {
	none := ""
	for name, tt := range map[string]struct {
		in      client.Reset
		want    string
		refused bool
	}{
		"nothing asked for":   {client.Reset{}, "", false},
		"only a length":       {client.Reset{Policy: &client.PasswordPolicy{Length: 20}}, `{"length":20}`, false},
		"nothing excluded":    {client.Reset{Policy: &client.PasswordPolicy{Exclude: &none}}, `{"exclude":""}`, false},
		"classes":             {client.Reset{Policy: &client.PasswordPolicy{Alphabets: []string{"lower"}, Require: map[string]int{"lower": 3}}}, `{"alphabets":["lower"],"require":{"lower":3}}`, false},
		"with a value":        {client.Reset{Policy: &client.PasswordPolicy{}, Value: client.NewValue("hunter2")}, "", true},
		"with a version":      {client.Reset{Policy: &client.PasswordPolicy{}, Version: 2}, "", true},
		"a value by itself":   {client.Reset{Value: client.NewValue("hunter2")}, "", false},
		"a version by itself": {client.Reset{Version: 2}, "", false},
	} {
		got, err := policyText(tt.in)
		if got != tt.want || errors.Is(err, fault.Invalid) != tt.refused {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the value", name)
		}
	}
}

func TestManifestIsWhatKubectlTakes(t *testing.T) {
	cred := access.Credential{Namespace: "shop", SecretName: "db", Type: "Opaque", Labels: map[string]string{"app": "shop"}, Immutable: true}
	m, err := manifestOf(cred, map[string]vault.Value{"password": vault.NewValue([]byte("pa\xff")), "empty": {}})
	ok(t, err)
	text, err := json.Marshal(m)
	ok(t, err)
	want := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"shop","labels":{"app":"shop"}},"type":"Opaque","immutable":true,` +
		`"data":{"empty":"","password":"cGH/"}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestReportOf(t *testing.T) {
	at := time.Unix(1, 0).UTC()
	got := reportOf(inventory.Report{
		Checks: []inventory.Check{{Name: inventory.CheckHost, State: inventory.CheckFailed, Steps: []inventory.CheckStep{
			{Name: "certificate", State: inventory.CheckFailed, Code: "cluster-untrusted", Cause: "it does not chain to the CA", Cure: "import its CA"}}}},
		Chain: []inventory.Certificate{{Subject: "s", Issuer: "i", SHA256: "aa", PEM: "pem", NotAfter: at}}, Missing: []string{"patch secrets"},
	})
	want := client.Report{
		Checks: []client.Check{{Name: "host", State: "failed", Steps: []client.CheckStep{
			{Name: "certificate", State: "failed", Code: "cluster-untrusted", Cause: "It does not chain to the CA", Cure: "Import its CA"}}}},
		Chain: []client.Certificate{{Subject: "s", Issuer: "i", SHA256: "aa", PEM: "pem", NotAfter: at}}, Missing: []string{"patch secrets"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A run's steps never claim what was not proved.
func TestStepsOf(t *testing.T) {
	for name, tt := range map[string]struct {
		run       rotation.Run
		workloads int
		want      string // the states, in order
	}{
		"just opened": {rotation.Run{State: rotation.Queued, Step: rotation.Planned, Begun: rotation.Planned}, 0,
			"done to_do to_do to_do to_do to_do to_do to_do"},
		"changing the password": {rotation.Run{State: rotation.Running, Step: rotation.Minted, Begun: rotation.Applied}, 0,
			"done done running to_do to_do to_do to_do to_do"},
		"the reply was lost": {rotation.Run{State: rotation.Waiting, Step: rotation.Minted, Begun: rotation.Applied}, 0,
			"done done unverified to_do to_do to_do to_do to_do"},
		"waits before anything was sent": {rotation.Run{State: rotation.Waiting, Step: rotation.Planned, Begun: rotation.Planned}, 0,
			"done to_do to_do to_do to_do to_do to_do to_do"},
		"neither value is accepted": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Minted, Begun: rotation.Applied}, 0,
			"done done unverified to_do to_do to_do to_do to_do"},
		"the login with the new value failed": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Applied, Begun: rotation.Verified}, 0,
			"done done done failed to_do to_do to_do to_do"},
		"the login was never answered": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Applied, Begun: rotation.Verified, Tries: 8}, 0,
			"done done done unverified to_do to_do to_do to_do"},
		"a cluster refused": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Verified, Begun: rotation.Published, Proved: true}, 0,
			"done done done done failed to_do to_do to_do"},
		"refused by the system": {rotation.Run{State: rotation.RolledBack, Step: rotation.Minted, Begun: rotation.Applied}, 0,
			"done done failed skipped skipped skipped skipped skipped"},
		"done": {rotation.Run{State: rotation.Finished, Step: rotation.Done, Begun: rotation.Done, Proved: true, Old: 1},
			0, "done done done done done skipped done done"},
		"done, with workloads restarted": {rotation.Run{State: rotation.Finished, Step: rotation.Done, Begun: rotation.Done, Proved: true, Old: 1}, 2,
			"done done done done done done done done"},
		"a rollout is stuck": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Published, Begun: rotation.RolledOut, Proved: true, Old: 1}, 2,
			"done done done done done failed to_do to_do"},
		"done, without a first value": {rotation.Run{State: rotation.Finished, Step: rotation.Done, Begun: rotation.Done, Proved: true}, 0,
			"done done done done done skipped skipped done"},
		"done, with nothing to log in to": {rotation.Run{State: rotation.Finished, Step: rotation.Done, Begun: rotation.Done, Old: 1}, 0,
			"done done skipped skipped done skipped skipped done"},
	} {
		var got []string
		for _, s := range stepsOf(tt.run, nil, tt.workloads) {
			got = append(got, s.State)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFactsOf(t *testing.T) {
	versions := []inventory.Version{{Number: 2, Stage: inventory.Pending}, {Number: 1, Stage: inventory.Current}}
	for name, tt := range map[string]struct {
		row      store.RunRow
		rollouts []client.RunRollout
		want     []string
	}{
		"the reply was lost": {store.RunRow{Run: rotation.Run{State: rotation.Waiting, Step: rotation.Minted, Begun: rotation.Applied, New: 2, Old: 1}, Writes: 3}, nil,
			[]string{"Whether the system accepts version 1 or version 2 is not known yet; both are in the vault.", "Version 2 is stored as pending.",
				"Version 1 is stored as current.", "0 of 3 mapped keys were read back with version 2."}},
		"proved": {store.RunRow{Run: rotation.Run{State: rotation.Running, Step: rotation.Published, Begun: rotation.Published, New: 2, Old: 1, Proved: true}, Writes: 3, Proved: 3}, nil,
			[]string{"The system accepted a login with version 2 and refused a wrong value.", "Version 2 is stored as pending.",
				"Version 1 is stored as current.", "3 of 3 mapped keys were read back with version 2.", "Whether the system still accepts version 1 was not settled yet."}},
		"both are valid": {store.RunRow{Run: rotation.Run{Strategy: rotation.Overlap, State: rotation.Running, Step: rotation.Published, Begun: rotation.Published, New: 2, Old: 1, Proved: true},
			Writes: 3, Proved: 3}, nil,
			[]string{"The system accepted a login with version 2 and refused a wrong value.", "Version 2 is stored as pending.",
				"Version 1 is stored as current.", "3 of 3 mapped keys were read back with version 2.", "The system takes version 1 beside it until every key has the new one."}},
		"pods are left": {store.RunRow{Run: rotation.Run{State: rotation.Running, Step: rotation.Published, Begun: rotation.RolledOut, New: 2, Proved: true}, Writes: 1, Proved: 1},
			[]client.RunRollout{{Old: 1}, {Old: 2}, {Ready: 3}},
			[]string{"The system accepted a login with version 2 and refused a wrong value.", "Version 2 is stored as pending.", "1 of 1 mapped keys were read back with version 2.",
				"From before the write there are left: 3 pods of 2 workloads."}},
		"no pod is left": {store.RunRow{Run: rotation.Run{State: rotation.Running, Step: rotation.RolledOut, Begun: rotation.RolledOut, New: 2, Proved: true}, Writes: 1, Proved: 1},
			[]client.RunRollout{{Ready: 3}},
			[]string{"The system accepted a login with version 2 and refused a wrong value.", "Version 2 is stored as pending.", "1 of 1 mapped keys were read back with version 2.",
				"No pod of 1 workload is left from before the write."}},
		"no value could be made": {store.RunRow{Run: rotation.Run{State: rotation.RolledBack, Step: rotation.Planned, Begun: rotation.Minted}}, nil,
			[]string{"Nothing was sent to the system.", "No Secret key is mapped to the account."}},
	} {
		if diff := cmp.Diff(tt.want, factsOf(tt.row, versions, tt.rollouts)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAScopeComesBackAsItWasSent(t *testing.T) {
	for _, s := range []client.Scope{
		{Access: "read-only"}, {Namespaces: []string{"shop"}, Access: "read-write", Restart: true, PortForward: true, RenewToken: true, Replace: true},
	} {
		if got := scopeOf(scopeIn(s)); !reflect.DeepEqual(got, s) {
			t.Errorf("%+v, want %+v", got, s)
		}
	}
	e := newEstate(t)
	admin := "Bearer " + e.session(e.user("root", identity.Administrator)).Text()
	for query, want := range map[string]int{
		"namespaces=shop&access=read-write&restart=true&replace=true": http.StatusOK, "namespaces=shop&access=read-write&replace=true": http.StatusUnprocessableEntity,
	} {
		if got := e.send(http.MethodGet, "/connector?"+query, nil, "Authorization", admin); got.status != want {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
}
