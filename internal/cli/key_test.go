package cli

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/keyturn/keyturn/client"
)

func TestRotatingAKeyWaitsUntilNothingIsSealedWithTheOthers(t *testing.T) {
	w := newWorld(t)
	left := int64(300)
	keys := func() []client.DataKey {
		return []client.DataKey{{ID: "2", State: "active", MadeAt: noon, Records: 300 - left}, {ID: "1", State: "retired", MadeAt: noon, RetiredAt: &noon, Records: left}}
	}
	w.answers["POST /keys/rotate"] = func(*http.Request) any { return client.KeyRotation{Active: "2", Items: keys()} }
	w.answers["GET /keys"] = func(*http.Request) any {
		left -= 150
		return map[string]any{"items": keys()}
	}
	r := w.run("", "key", "rotate", "--wait")
	want := "ID  STATE    AGE  RECORDS  USES\n2   active   0s   300      0\n1   retired  0s   0        0\n"
	wantErr := "Data key 2 seals from now on. What older ones have sealed is sealed again in the background.\n300 values are to be sealed again.\n150 values are to be sealed again.\n"
	if r.code != 0 || r.out != want || r.err != wantErr {
		t.Errorf("%+v", r)
	}
	left = 300
	w.answers["GET /keys"] = client.Problem{Type: "urn:keyturn:problem:unavailable", Title: "No", Status: 403, Cause: "Because."}
	r = w.run("", "key", "rotate", "--wait")
	if wantErr = "Data key 2 seals from now on. What older ones have sealed is sealed again in the background.\n300 values are to be sealed again.\nerror: No\ncause: Because.\n" +
		"unchanged: The sealing goes on in the server.\nsee: keyturn key list\n"; r.code != exitRefused || r.err != wantErr {
		t.Errorf("%+v", r)
	}
}

func TestTheNextRootKeyIsMadeOnThisMachine(t *testing.T) {
	w := newWorld(t)
	var asked ServerOptions
	var refuse error
	w.next = func(_ context.Context, o ServerOptions) (string, error) {
		asked = o
		return "/d/root.key.next", refuse
	}
	r := w.run("", "server", "next-root-key", "--data", "/d")
	if r.code != 0 || r.out != "/d/root.key.next\n" || asked.Data != "/d" || len(w.seen) != 0 {
		t.Errorf("%+v, asked for %+v", r, asked)
	}
	refuse = errors.New("it exists already")
	if r = w.run("", "server", "next-root-key", "--root-key-file", "/d/root.key"); r.code != exitFailed || r.out != "" || asked.RootKeyFile != "/d/root.key" {
		t.Errorf("%+v", r)
	}
}

func TestANewPassphraseOfTheServerIsAskedForTwice(t *testing.T) {
	w := newWorld(t)
	code, screen := w.person([]reply{{"New passphrase: ", canary, true}, {"Once more: ", canary, true}, {prompt: "Go on? [y/N]: ", text: "y"}}, "key", "root", "--passphrase")
	if code != 0 || len(w.seen) != 1 {
		t.Errorf("code %d, seen %v:\n%s", code, w.seen, screen)
	}
}
