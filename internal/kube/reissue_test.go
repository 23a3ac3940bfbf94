package kube

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// tokenOf is a token Secret of an account, with a label, an annotation and a key of its own.
const tokenOf = `{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: ci-token, labels: {app: ci},
	annotations: {kubernetes.io/service-account.name: ci, team: a}}, data: {note: aGk=}}`

func TestATokenIsIssuedAgainUnderAnotherName(t *testing.T) {
	const ns = "reissue"
	newNamespace(t, ns)
	kubectl(t, "", "-n", ns, "create", "serviceaccount", "ci")
	kubectl(t, tokenOf, "-n", ns, "apply", "-f", "-") // which repeats the data in an annotation
	kubectl(t, "", "-n", ns, "wait", "secret/ci-token", "--for=jsonpath={.data.token}", "--timeout=2m")
	conn := narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true})
	old, err := conn.GetSecret(t.Context(), ns, "ci-token")
	if err != nil {
		t.Fatal(err)
	}
	if said, ok := ReadAccountToken(old.Data["token"]); !ok || said != (AccountToken{ns, "ci", "ci-token"}) {
		t.Errorf("the token says %+v, %v", said, ok)
	}
	if o := ClassifyOwner(old, "token"); o.Kind != OwnedByCluster {
		t.Errorf("the token belongs to %+v", o)
	}
	if o := ClassifyOwner(old, "note"); o.Kind != OwnedByOneShot {
		t.Errorf("a key beside it belongs to %+v", o)
	}
	made := Replacement{Name: "ci-token-1", Base: "ci-token", By: "run-1"}
	if tried, err := conn.TryReissueToken(t.Context(), old, made); err != nil || tried.Data["token"].Len() > 0 || tried.Name != made.Name {
		t.Fatalf("tried: %v", err)
	}
	if _, err := conn.GetSecret(t.Context(), ns, made.Name); !errors.Is(err, fault.NotFound) {
		t.Fatalf("what was only tried is there: %v", err)
	}
	got, err := conn.ReissueToken(t.Context(), old, made)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := conn.ReissueToken(t.Context(), old, made); err != nil || again.UID != got.UID || !again.Data["token"].Equal(got.Data["token"]) {
		t.Errorf("asked again for the same: %s, %v", again.UID, err)
	}
	if said, ok := ReadAccountToken(got.Data["token"]); !ok || said != (AccountToken{ns, "ci", made.Name}) {
		t.Errorf("the next token says %+v, %v", said, ok)
	}
	notes := kubectl(t, "", "-n", ns, "get", "secret", made.Name, "-o", "jsonpath={.metadata.annotations}")
	if got.Immutable || got.Type != typeToken || !maps.Equal(got.Labels, map[string]string{"app": "ci"}) || !got.Data["note"].Equal(old.Data["note"]) || got.Base != "ci-token" || got.MadeBy != "run-1" ||
		!strings.Contains(notes, `"team":"a"`) || strings.Contains(notes, "last-applied") {
		t.Errorf("it was made with labels %v and annotations %s", got.Labels, notes)
	}
	for _, s := range []Secret{old, got} {
		if who, err := conn.WhoIs(t.Context(), s.Data["token"]); err != nil || who != "system:serviceaccount:"+ns+":ci" {
			t.Errorf("%s is of %q: %v", s.Name, who, err)
		}
	}
	_, err = conn.WhoIs(t.Context(), vault.Value{})
	isFault(t, err, fault.Denied, CodeTokenRefused)

	// Another run's, another account's and another type's Secret are not taken for its own.
	other := made
	other.By = "run-2"
	kubectl(t, "", "-n", ns, "create", "secret", "generic", "ci-token-2")
	for _, m := range []Replacement{other, {Name: "ci-token-2", Base: "ci-token", By: "run-1"}} {
		if _, err := conn.ReissueToken(t.Context(), old, m); code(err) != CodeNameTaken {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if _, err := conn.TryReissueToken(t.Context(), old, other); code(err) != CodeNameTaken {
		t.Errorf("tried with a name that is taken: %v", err)
	}

	// The old one ends with its Secret, the next one lives on.
	now, err := conn.GetSecret(t.Context(), ns, "ci-token") // it is marked as used by now
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.DeleteSecret(t.Context(), ns, "ci-token", now.UID, now.ResourceVersion); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if _, err = conn.WhoIs(t.Context(), old.Data["token"]); code(err) == CodeTokenRefused || time.Now().After(end) {
			break
		}
	}
	isFault(t, err, fault.Denied, CodeTokenRefused)
	if _, err := conn.WhoIs(t.Context(), got.Data["token"]); err != nil {
		t.Errorf("the next token: %v", err)
	}
}

func TestATokenOfAnAccountThatIsNotThereIsNotIssued(t *testing.T) {
	const ns = "reissue-gone"
	newNamespace(t, ns)
	conn := narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true})
	old := Secret{Namespace: ns, Name: "ci-token", Annotations: map[string]string{"kubernetes.io/service-account.name": "ci"}}
	_, err := conn.ReissueToken(t.Context(), old, Replacement{Name: "ci-token-1", Base: "ci-token", By: "run-1"})
	isFault(t, err, fault.NotFound, "account-gone")
	if err := conn.HasAccount(t.Context(), ns, "ci"); !errors.Is(err, fault.NotFound) {
		t.Errorf("an account that is not there: %v", err)
	}
}

func TestWhatIsLackedToIssueTokensIsNamed(t *testing.T) {
	const ns = "reissue-denied"
	newNamespace(t, ns)
	conn := narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true})
	lacks, err := conn.Lacks(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"create", "delete"} {
		if !slices.Contains(lacks, Right{Verb: verb, Resource: "secrets", Namespace: ns}) {
			t.Errorf("%s is not among %v", verb, lacks)
		}
	}
	old := Secret{Namespace: ns, Name: "ci-token", Annotations: map[string]string{"kubernetes.io/service-account.name": "ci"}}
	_, err = conn.ReissueToken(t.Context(), old, Replacement{Name: "ci-token-1", Base: "ci-token", By: "run-1"})
	isFault(t, err, fault.Denied, codeRight)
	conn = narrow(t, Scope{Namespaces: []string{ns}, ReadWrite: true, Restart: true, Replace: true})
	if lacks, err = conn.Lacks(t.Context(), ns); err != nil || len(lacks) > 0 {
		t.Errorf("with the rights it lacks %v, %v", lacks, err)
	}
}
