package rotation

import (
	"testing"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestDecideAPartOfAValue(t *testing.T) {
	value := vault.NewValue([]byte("n@w"))
	url, json := composite.Spec{Format: composite.URL}, composite.Spec{Format: composite.JSON, At: "/db/password"}
	for _, tt := range []struct {
		name  string
		place composite.Spec
		have  string // empty: the Secret has no such key
		want  string // what is written; empty: nothing
		state WriteState
	}{
		{"a DSN", url, "postgres://app:old@db/orders?x=1", "postgres://app:n%40w@db/orders?x=1", WriteToDo},
		{"a DSN that is right already", url, "postgres://app:n%40w@db/orders", "", WriteDone},
		{"a DSN that is right and spelled otherwise", url, "postgres://app:%6E%40w@db/orders", "", WriteDone},
		{"a document", json, "{\n  \"db\": {\"password\": \"old\", \"port\": 5432}\n}\n", "{\n  \"db\": {\"password\": \"n@w\", \"port\": 5432}\n}\n", WriteToDo},
		{"a document that became another", json, `{"db": "moved"}`, "", WriteBlocked},
		{"no key to compose with", url, "", "", WriteBlocked},
	} {
		seen := Seen{UID: "u", ResourceVersion: "7", Data: map[string]vault.Value{}}
		if tt.have != "" {
			seen.Data["config"] = vault.NewValue([]byte(tt.have))
		}
		d := decide([]Write{{UID: "u", Key: "config", Place: tt.place, State: WriteToDo}}, seen, true, value)
		sent, patched := d.patch["config"]
		if patched != (tt.want != "") || patched && text(sent) != tt.want {
			t.Errorf("%s: patches %v", tt.name, patched)
		}
		w := d.writes[0]
		if w.State != tt.state || (w.State == WriteBlocked) != (w.Reason != "" && w.Cure != "") {
			t.Errorf("%s: %+v", tt.name, w)
		}
		if patched {
			reply := Seen{UID: "u", Data: map[string]vault.Value{"config": sent}}
			if got := answered(d, reply, value)[0].State; got != WriteDone {
				t.Errorf("%s: the reply shows what was sent, and it is %s", tt.name, got)
			}
			reply.Data["config"] = vault.NewValue([]byte(text(sent) + " "))
			if got := answered(d, reply, value)[0].State; got != WriteBlocked {
				t.Errorf("%s: the reply shows one byte more, and it is %s", tt.name, got)
			}
		}
	}
}

func TestPublishAPartOfAValue(t *testing.T) {
	w := newWorld(t)
	s := w.secrets["c1/s1"]
	s.data["password"] = "postgres://app:" + w.plain(1) + "@db/orders"
	w.writes[1].Place = composite.Spec{Format: composite.URL}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	if w.run.State != Finished {
		t.Fatalf("%s: %s", w.run.State, w.run.Reason)
	}
	if got := s.data["password"]; got != "postgres://app:"+w.plain(2)+"@db/orders" {
		t.Errorf("the DSN is not the old one with the new password")
	}
}

func TestAHashIsProvedAsAWhole(t *testing.T) {
	w := newWorld(t)
	s := w.secrets["c1/s1"]
	s.data["password"] = "app:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
	w.writes[1].Place = composite.Spec{Format: composite.Htpasswd, At: "app"}
	if err := w.resume(); err != nil {
		t.Fatal(err)
	}
	part, err := composite.Find(w.writes[1].Place, vault.NewValue([]byte(s.data["password"])))
	if err != nil || !part.Holds(vault.NewValue([]byte(w.plain(2)))) {
		t.Errorf("the file does not take the new password: %v", err)
	}
}
