package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// sequence puts what was recorded so far into the log.
func (w *world) sequence() {
	w.t.Helper()
	q := audit.NewSequencer(audit.Config{Store: w.store, Signer: w.signer, Log: slog.New(slog.DiscardHandler)})
	if _, err := q.Sequence(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestTheAuditLogIsListedInPages(t *testing.T) {
	w := newWorld(t)
	c, u := w.as(identity.Auditor)
	ctx := t.Context()
	for range 5 {
		ok(t, w.store.Record(ctx, audit.New(identity.System("test"), "account.reveal", audit.Object{Kind: "account", ID: "a1", Name: "app"}).With("key", "k")))
	}
	page := func(cursor string) (client.Page[client.AuditEvent], error) {
		return c.AuditEvents(ctx, client.AuditFilter{Action: "account.reveal", Limit: 2, Cursor: cursor})
	}
	first, err := page("")
	ok(t, err)
	if first.Total != 5 || len(first.Items) != 2 || first.Next == "" || !first.Can["verify"].Allowed {
		t.Errorf("first page: %+v", first)
	}
	n, last := 0, ""
	for e, err := range client.All(page) {
		ok(t, err)
		if last != "" && e.ID >= last {
			t.Error("not newest first")
		}
		n, last = n+1, e.ID
	}
	if n != 5 {
		t.Errorf("%d events on all pages", n)
	}
	one, err := c.AuditEvent(ctx, last)
	ok(t, err)
	if one.Kind != "account" || one.Object != "app" || one.Actor != "test" || one.ActorKind != "system" || one.Seq != -1 ||
		one.Details["key"] != "k" || one.Outcome != "allowed" {
		t.Errorf("one: %+v", one)
	}
	_, err = c.AuditEvent(ctx, "nothing")
	refused(t, err, 404, "not-found")
	w.sequence()
	if one, err = c.AuditEvent(ctx, last); err != nil || one.Seq < 0 {
		t.Errorf("in the log: %+v, %v", one, err)
	}
	for _, f := range []client.AuditFilter{{Cursor: "canary-71"}, {From: "canary-72"}, {To: "24h"}} {
		_, err := c.AuditEvents(ctx, f)
		refused(t, err, http.StatusUnprocessableEntity, "invalid")
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("it repeats what was sent: %v", err)
		}
	}
	old, err := c.AuditEvents(ctx, client.AuditFilter{To: "-1h"})
	ok(t, err)
	recent, err := c.AuditEvents(ctx, client.AuditFilter{From: "-1h", Actor: u.ID})
	ok(t, err)
	if old.Total != 0 || len(old.Items) != 0 || recent.Total != 0 {
		t.Errorf("by time: %+v %+v", old, recent)
	}
}

func TestTheAuditLogIsForFew(t *testing.T) {
	w := newWorld(t)
	for _, role := range []identity.Role{identity.Operator, identity.PlainUser} {
		c, u := w.as(role)
		_, list := c.AuditEvents(t.Context(), client.AuditFilter{})
		_, verify := c.VerifyAudit(t.Context())
		for _, err := range []error{list, verify, c.AuditExport(t.Context(), &bytes.Buffer{}, 0, 0)} {
			refused(t, err, http.StatusForbidden, "denied")
		}
		mine, err := w.store.AuditEvents(t.Context(), store.AuditFilter{Actor: u.ID, Outcome: audit.Refused})
		ok(t, err)
		if len(mine) != 3 {
			t.Errorf("%s: %d refusals are recorded, want 3", role, len(mine))
		}
	}
}

func TestTheAuditLogIsVerified(t *testing.T) {
	w := newWorld(t)
	c, _ := w.as(identity.Auditor)
	w.sequence()
	v, err := c.VerifyAudit(t.Context())
	ok(t, err)
	if v.State != "intact" || v.Entries != 2 || v.Bad != -1 || v.Key != w.signer.Key() || v.SignedAt == nil || v.Unsequenced != 0 {
		t.Errorf("%+v", v)
	}
	head, err := audit.OpenHead([]byte(v.Head), v.Key)
	ok(t, err)
	if head.Size != 2 {
		t.Errorf("head of %d", head.Size)
	}
	evs := w.events("audit.verify")
	if len(evs) != 1 || evs[0].Details["state"] != "intact" {
		t.Errorf("events: %+v", evs)
	}
	again, err := c.VerifyAudit(t.Context())
	ok(t, err)
	if again.Unsequenced != 1 {
		t.Errorf("the verification itself waits: %+v", again)
	}
}

func TestAForeignHeadIsFound(t *testing.T) {
	w := newWorld(t, func(w *world, s *Services) {
		other, err := audit.NewSigner("test", vault.NewValue([]byte("0123456789abcdef0123456789abcdef")))
		ok(w.t, err)
		s.Audit.Key = other.Key()
	})
	c, _ := w.as(identity.Administrator)
	w.sequence()
	v, err := c.VerifyAudit(t.Context())
	ok(t, err)
	if v.State != "broken" || v.Reason == "" || v.Cure == "" {
		t.Errorf("%+v", v)
	}
	if evs := w.events("audit.verify"); len(evs) != 1 || evs[0].Details["state"] != "broken" || evs[0].Details["found"] == "" {
		t.Errorf("events: %+v", evs)
	}
}

func TestTheAuditLogIsExportedAndProved(t *testing.T) {
	w := newWorld(t)
	c, _ := w.as(identity.Auditor)
	var out bytes.Buffer
	refused(t, c.AuditExport(t.Context(), &out, 0, 0), http.StatusNotFound, "not-found") // nothing is signed yet
	w.sequence()
	ok(t, c.AuditExport(t.Context(), &out, 0, 0))
	result, err := audit.VerifyExport(&out, audit.Trust{Key: w.signer.Key()})
	ok(t, err)
	if !result.OK() || result.Entries != 3 {
		t.Errorf("%+v", result)
	}
	refused(t, c.AuditExport(t.Context(), &out, 3, 2), http.StatusUnprocessableEntity, "invalid")
	if evs := w.events("audit.export"); len(evs) != 3 || evs[0].Details["from"] != "3" || evs[0].Details["to"] != "2" {
		t.Errorf("events: %+v", evs)
	}
}

// halfLog is a log whose second half cannot be read.
type halfLog struct{ audit.Store }

func (l halfLog) Entries(ctx context.Context, from, to int64, fn func(int64, []byte) error) error {
	if from > 0 {
		return errors.New("the disk is gone")
	}
	return l.Store.Entries(ctx, from, to, fn)
}

func TestAnExportThatBreaksOffIsNoAnswer(t *testing.T) {
	w := newWorld(t, func(w *world, s *Services) { s.Audit.Log = halfLog{w.store} })
	c, _ := w.as(identity.Auditor)
	var all sync.WaitGroup
	for range 600 { // more than an export reads at once
		all.Go(func() {
			if err := w.store.Record(t.Context(), audit.New(identity.System("test"), "account.reveal", audit.Object{})); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.sequence()
	var out bytes.Buffer
	if err := c.AuditExport(t.Context(), &out, 0, 0); err == nil {
		t.Error("it ended as if it were whole")
	}
	if out.Len() == 0 {
		t.Error("nothing was sent, so this test tested something else")
	}
}

func TestInstantOf(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"-24h":                      now.Add(-24 * time.Hour),
		"2026-01-31T12:00:00Z":      time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		"2026-01-31T12:00:00+02:00": time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		got, err := instantOf("from", text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"24h", "yesterday", "-", "2026-01-31", "-soon"} {
		if _, err := instantOf("from", text, now); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestVerificationOf(t *testing.T) {
	got := verificationOf(audit.Result{Entries: 9, Bad: &audit.Finding{Kind: audit.Edited, From: 4, To: 5}}, nil)
	want := client.AuditVerification{State: "broken", Entries: 9, Bad: 4, Reason: "Entry 4 was edited", Cure: got.Cure}
	if d := cmp.Diff(want, got); d != "" || got.Cure == "" {
		t.Error(d)
	}
	if got := verificationOf(audit.Result{Bad: &audit.Finding{Kind: audit.Cut, From: 4, To: 9}}, nil); got.Bad != -1 || got.State != "broken" {
		t.Errorf("a range: %+v", got)
	}
}
