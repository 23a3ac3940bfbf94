package story

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// export makes one of these entries' texts, signed with a new key.
func export(t *testing.T, bodies ...string) (text []byte, key string) {
	t.Helper()
	private, key, err := note.GenerateKey(rand.Reader, "log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	var leaves []tlog.Hash
	var lines strings.Builder
	for i, body := range bodies {
		leaves = append(leaves, tlog.RecordHash([]byte(body)))
		fmt.Fprintf(&lines, `{"seq":%d,"leaf":"","body":%s}`+"\n", i, body)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("log\n%d\n%s\n0\n", len(leaves), merkle(leaves))}, signer)
	if err != nil {
		t.Fatal(err)
	}
	head, err := json.Marshal(map[string]string{"head": string(signed)})
	if err != nil {
		t.Fatal(err)
	}
	return []byte(string(head) + "\n" + lines.String() + string(head) + "\n"), key
}

func TestRecountFindsWhatTamperDid(t *testing.T) {
	text, key := export(t, `{"action":"a"}`, `{"action":"account.reveal","outcome":"refused"}`, `{"action":"b","outcome":"refused"}`)
	if n, err := recount(text, key); err != nil || n != 3 {
		t.Fatalf("%d entries, %v", n, err)
	}
	forged, seq, err := tamper(text)
	if err != nil || seq != 1 {
		t.Fatalf("tampered with entry %d, %v", seq, err)
	}
	if _, err := recount(forged, key); err == nil {
		t.Error("the forged export passes")
	}
	_, other := export(t, `{}`)
	if _, err := recount(text, other); err == nil {
		t.Error("the export passes with another key")
	}
	if _, _, err := tamper([]byte(`{"seq":0,"body":{"action":"a"}}` + "\n")); err == nil {
		t.Error("there was nothing to tamper with")
	}
}

func TestMerkleIsTheTreeOfRFC6962(t *testing.T) {
	var stored []tlog.Hash
	var leaves []tlog.Hash
	for n := range int64(20) {
		record := fmt.Append(nil, "record ", n)
		hashes, err := tlog.StoredHashes(n, record, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return pick(stored, at), nil }))
		if err != nil {
			t.Fatal(err)
		}
		stored, leaves = append(stored, hashes...), append(leaves, tlog.RecordHash(record))
		want, err := tlog.TreeHash(n+1, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return pick(stored, at), nil }))
		if err != nil {
			t.Fatal(err)
		}
		if got := merkle(leaves); got != want {
			t.Errorf("%d leaves: %v, want %v", n+1, got, want)
		}
	}
}

func pick(stored []tlog.Hash, at []int64) []tlog.Hash {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, stored[i])
	}
	return out
}
