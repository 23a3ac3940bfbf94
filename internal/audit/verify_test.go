package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/audit/audittest"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

func signer(t testing.TB, seed byte) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner("0198-repo", vault.NewValue(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func sequencer(t testing.TB, s audit.Store, key *audit.Signer) *audit.Sequencer {
	return audit.NewSequencer(audit.Config{Store: s, Signer: key, Log: logger(t)})
}

func events(n int) []audit.Event {
	out := make([]audit.Event, n)
	for i := range out {
		out[i] = audit.New(identity.System("test"), "account.reveal", audit.Object{Kind: "account", ID: fmt.Sprint(i), Name: "db"})
	}
	return out
}

// filled returns a log that grew by those batches.
func filled(t testing.TB, batches ...int) *audittest.Memory {
	t.Helper()
	m := audittest.NewMemory()
	seq := sequencer(t, m, signer(t, 1))
	for _, n := range batches {
		if err := m.Record(t.Context(), events(n)...); err != nil {
			t.Fatal(err)
		}
		if got, err := seq.Sequence(t.Context()); err != nil || got != n {
			t.Fatalf("sequenced %d of %d: %v", got, n, err)
		}
	}
	return m
}

func forged() []byte { return events(1)[0].Refused("forged").Canonical() }

func renumber(s *audittest.State) {
	for i := range s.Entries {
		s.Entries[i].Seq = int64(i)
	}
}

// rehash writes tiles that fit the entries, as somebody would who knows how the log works but lacks the key.
func rehash(s *audittest.State) {
	level := make([]tlog.Hash, len(s.Entries))
	for i, e := range s.Entries {
		level[i] = tlog.RecordHash(e.Body)
	}
	clear(s.Tiles)
	for l := 0; len(level) > 0; l++ {
		var up []tlog.Hash
		for n := 0; n*256 < len(level); n++ {
			row := slices.Clone(level[n*256 : min((n+1)*256, len(level))])
			var data []byte
			for _, h := range row {
				data = append(data, h[:]...)
			}
			s.Tiles[audittest.TileID{Level: l, N: int64(n)}] = data
			if len(row) < 256 {
				continue
			}
			for ; len(row) > 1; row = row[:len(row)/2] {
				for i := range len(row) / 2 {
					row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
				}
			}
			up = append(up, row[0])
		}
		level = up
	}
}

func resign(t testing.TB, s *audittest.State, key *audit.Signer, from int) {
	for i := from; i < len(s.Heads); i++ {
		h, err := key.Sign(s.Heads[i].Size, s.Heads[i].Hash, s.Heads[i].At)
		if err != nil {
			t.Fatal(err)
		}
		s.Heads[i] = h
	}
}

func exact(k audit.Tampering, seq int64) audit.Finding {
	return audit.Finding{Kind: k, From: seq, To: seq + 1}
}

// The log that is tampered with has 1,011 entries and signed heads of 1, 301, 1,001 and 1,011.
func TestTampering(t *testing.T) {
	cases := []struct {
		name   string
		tamper func(t *testing.T, s *audittest.State)
		want   audit.Finding
		export *audit.Finding // what its export shows; nil means the same
		hidden bool           // the export is genuine
	}{
		{"edit", func(_ *testing.T, s *audittest.State) { s.Entries[400].Body = forged() }, exact(audit.Edited, 400), nil, false},
		{"edit first", func(_ *testing.T, s *audittest.State) { s.Entries[0].Body = forged() }, exact(audit.Edited, 0), nil, false},
		{"edit last", func(_ *testing.T, s *audittest.State) { s.Entries[1010].Body = forged() }, exact(audit.Edited, 1010), nil, false},
		{"not json", func(_ *testing.T, s *audittest.State) { s.Entries[7].Body = []byte("{\n}\xff") }, exact(audit.Edited, 7), nil, false},
		{"two edits", func(_ *testing.T, s *audittest.State) {
			s.Entries[900].Body, s.Entries[350].Body = forged(), forged()
		}, exact(audit.Edited, 350), nil, false},
		{"delete", func(_ *testing.T, s *audittest.State) { s.Entries = slices.Delete(s.Entries, 400, 401) },
			exact(audit.Deleted, 400), nil, false},
		{"delete and renumber", func(_ *testing.T, s *audittest.State) {
			s.Entries = slices.Delete(s.Entries, 400, 401)
			renumber(s)
		}, exact(audit.Deleted, 400), new(exact(audit.Edited, 400)), false},
		{"insert and renumber", func(_ *testing.T, s *audittest.State) {
			s.Entries = slices.Insert(s.Entries, 400, audittest.Entry{ID: "x", Body: forged()})
			renumber(s)
		}, exact(audit.Inserted, 400), new(exact(audit.Edited, 400)), false},
		{"insert behind the end", func(_ *testing.T, s *audittest.State) {
			s.Entries = append(s.Entries, audittest.Entry{Seq: 1011, ID: "x", Body: forged()})
		}, exact(audit.Inserted, 1011), nil, true},
		{"reorder", func(_ *testing.T, s *audittest.State) {
			s.Entries[400], s.Entries[409] = s.Entries[409], s.Entries[400]
			renumber(s)
		}, exact(audit.Reordered, 400), new(exact(audit.Edited, 400)), false},
		{"cut entries", func(_ *testing.T, s *audittest.State) { s.Entries = s.Entries[:990] },
			audit.Finding{Kind: audit.Cut, From: 990, To: 1011}, nil, false},
		{"cut entries and heads", func(_ *testing.T, s *audittest.State) {
			s.Entries, s.Heads = s.Entries[:1001], s.Heads[:3]
		}, audit.Finding{Kind: audit.Cut, From: 1001, To: 1011}, nil, true},
		{"leaf edited", func(_ *testing.T, s *audittest.State) { s.Tiles[audittest.TileID{N: 1}][5*32]++ },
			exact(audit.BadTile, 261), nil, false},
		{"tile missing", func(_ *testing.T, s *audittest.State) { delete(s.Tiles, audittest.TileID{N: 1}) },
			exact(audit.BadTile, 256), nil, false},
		{"upper tile edited", func(_ *testing.T, s *audittest.State) { s.Tiles[audittest.TileID{Level: 1}][0]++ },
			audit.Finding{Kind: audit.BadTile, From: 0, To: 768}, nil, true},
		{"edit and leaf recomputed", func(_ *testing.T, s *audittest.State) {
			s.Entries[400].Body = forged()
			h := tlog.RecordHash(s.Entries[400].Body)
			copy(s.Tiles[audittest.TileID{N: 1}][(400-256)*32:], h[:])
		}, audit.Finding{Kind: audit.Forged, From: 301, To: 1001}, nil, false},
		{"edit and all hashes recomputed", func(_ *testing.T, s *audittest.State) {
			s.Entries[400].Body = forged()
			rehash(s)
		}, audit.Finding{Kind: audit.Forged, From: 301, To: 1001}, nil, false},
		{"foreign signature", func(t *testing.T, s *audittest.State) { resign(t, s, signer(t, 2), 2) },
			audit.Finding{Kind: audit.Signature, From: 301, To: 1011},
			&audit.Finding{Kind: audit.Signature, From: 0, To: 1011}, false},
		{"foreign newest signature", func(t *testing.T, s *audittest.State) { resign(t, s, signer(t, 2), 3) },
			audit.Finding{Kind: audit.Signature, From: 1001, To: 1011},
			&audit.Finding{Kind: audit.Signature, From: 0, To: 1011}, false},
	}
	key := signer(t, 1).Key()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := filled(t, 1, 300, 700, 10)
			m.Tamper(func(s *audittest.State) { c.tamper(t, s) })
			check(t, "live", c.want, must(audit.Verify(t.Context(), m, audit.Trust{Key: key}))(t))
			var file bytes.Buffer
			if err := audit.Export(t.Context(), &file, m, audit.Selection{Key: key}); err != nil {
				t.Fatal(err)
			}
			res := must(audit.VerifyExport(&file, audit.Trust{Key: key}))(t)
			switch {
			case c.hidden && !res.OK():
				t.Errorf("export: %v, want nothing", res.Bad)
			case c.hidden:
			case c.export != nil:
				check(t, "export", *c.export, res)
			default:
				check(t, "export", c.want, res)
			}
		})
	}
}

func must(r audit.Result, err error) func(testing.TB) audit.Result {
	return func(t testing.TB) audit.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func check(t *testing.T, where string, want audit.Finding, r audit.Result) {
	t.Helper()
	if r.OK() || *r.Bad != want {
		t.Errorf("%s: found %v, want %v", where, r.Bad, want)
	}
}

func TestGenuineLogHolds(t *testing.T) {
	for _, batches := range [][]int{nil, {1}, {255, 1, 1}, {256}, {5000}, {4096, 4095, 2}} {
		m := filled(t, batches...)
		r := must(audit.Verify(t.Context(), m, audit.Trust{Key: signer(t, 1).Key()}))(t)
		total := 0
		for _, n := range batches {
			total += n
		}
		if !r.OK() || r.Entries != int64(total) {
			t.Errorf("%v: %+v", batches, r)
		}
	}
}

func TestCutAndRegrownLogContradictsAnchor(t *testing.T) {
	key := signer(t, 1)
	m := filled(t, 100, 50)
	anchored, err := m.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Tamper(func(s *audittest.State) { s.Entries, s.Heads = s.Entries[:100], s.Heads[:1]; rehash(s) })
	trust := audit.Trust{Key: key.Key(), Anchored: [][]byte{anchored.Signed}}
	check(t, "cut", audit.Finding{Kind: audit.Cut, From: 100, To: 150}, must(audit.Verify(t.Context(), m, trust))(t))
	if err := m.Record(t.Context(), events(80)...); err != nil {
		t.Fatal(err)
	}
	if _, err := sequencer(t, m, key).Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, "regrown", audit.Finding{Kind: audit.Forked, From: 0, To: 150}, must(audit.Verify(t.Context(), m, trust))(t))
}

func TestExportOfAPartWithWithheldTexts(t *testing.T) {
	m := filled(t, 300, 300, 300)
	key := signer(t, 1).Key()
	var file bytes.Buffer
	sel := audit.Selection{Key: key, From: 257, To: 500, Keep: func(seq int64, _ []byte) bool { return seq%2 == 0 }}
	if err := audit.Export(t.Context(), &file, m, sel); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	r := must(audit.VerifyExport(strings.NewReader(text), audit.Trust{Key: key}))(t)
	if !r.OK() || r.Entries != 600-257 || r.Withheld != 172 || r.SelfSigned {
		t.Errorf("%+v %v", r, r.Bad)
	}
	lines := strings.SplitAfter(text, "\n")
	at := func(i int) string { return lines[i] }
	for name, c := range map[string]struct {
		text string
		want audit.Finding
	}{
		"line deleted":  {strings.Join(slices.Delete(slices.Clone(lines), 10, 11), ""), exact(audit.Deleted, 266)},
		"lines swapped": {strings.Replace(text, at(10)+at(11), at(11)+at(10), 1), exact(audit.Reordered, 266)},
		"line doubled":  {strings.Replace(text, at(10), at(10)+at(10), 1), exact(audit.Inserted, 266)},
		"edited":        {strings.Replace(text, at(12), strings.Replace(at(12), "reveal", "review", 1), 1), exact(audit.Edited, 268)},
		"field added":   {strings.Replace(text, at(12), strings.Replace(at(12), "{", `{"note":1,`, 1), 1), exact(audit.Malformed, 268)},
		"cut":           {strings.Join(lines[:11], ""), audit.Finding{Kind: audit.Cut, From: 267, To: 600}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, name, c.want, must(audit.VerifyExport(strings.NewReader(c.text), audit.Trust{Key: key}))(t))
		})
	}
	if r := must(audit.VerifyExport(strings.NewReader(text), audit.Trust{}))(t); !r.OK() || !r.SelfSigned {
		t.Errorf("without a key: %+v", r)
	}
	if _, err := audit.VerifyExport(strings.NewReader("{}\n"), audit.Trust{}); err == nil {
		t.Error("an empty object passed as an export")
	}
}

func BenchmarkVerify(b *testing.B) {
	m := filled(b, slices.Repeat([]int{1000}, 100)...)
	trust := audit.Trust{Key: signer(b, 1).Key()}
	start, n := time.Now(), int64(0)
	for b.Loop() {
		n += must(audit.Verify(context.Background(), m, trust))(b).Entries
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "events/s")
}
