package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Audit is the audit log as it is read, exported and verified.
type Audit struct {
	Events AuditEvents
	Log    audit.Store
	// Key is the public key of the log.
	Key string
	// Anchored, unless it is nil, returns the signed heads that are kept outside of the database.
	Anchored func(ctx context.Context) ([][]byte, error)
}

// AuditEvents are the events as they are listed, and the way in for those of this package. The store has it.
type AuditEvents interface {
	AuditEvents(ctx context.Context, f store.AuditFilter) ([]store.AuditEntry, error)
	CountAuditEvents(ctx context.Context, f store.AuditFilter) (int64, error)
	AuditEvent(ctx context.Context, id string) (store.AuditEntry, error)
	Record(ctx context.Context, ev audit.Event) error
}

type (
	auditIn      struct{ client.AuditFilter }
	auditEventIn struct {
		Event string `path:"event" maxLength:"64"`
	}
	auditExportIn struct {
		From int64 `query:"from" minimum:"0" doc:"number of the first entry"`
		To   int64 `query:"to" minimum:"0" doc:"number after the last entry; without it all there are"`
	}
)

// auditOps registers the audit log.
func (s *Server) auditOps() {
	op(s, operation[auditIn]{Method: http.MethodGet, Path: "/audit", Op: policy.AuditList, Summary: "List audit events"}, s.listAudit)
	op(s, operation[auditEventIn]{Method: http.MethodGet, Path: "/audit/events/{event}", Op: policy.AuditList, ID: "audit.get",
		Summary: "Show an audit event"},
		func(ctx context.Context, _ call, in *auditEventIn) (*list[client.AuditEvent], error) {
			e, err := s.Audit.Events.AuditEvent(ctx, in.Event)
			if err != nil {
				return nil, err
			}
			return &list[client.AuditEvent]{Body: eventOf(e)}, nil
		})
	op(s, operation[struct{}]{Method: http.MethodPost, Path: "/audit/verify", Op: policy.AuditVerify, Summary: "Check the whole audit log"}, s.verifyAudit)
	op(s, operation[auditExportIn]{Method: http.MethodGet, Path: "/audit/export", Op: policy.AuditExport,
		Summary: "Export the audit log with its proofs", Stream: true}, s.exportAudit)
}

func (s *Server) listAudit(ctx context.Context, c call, in *auditIn) (*list[client.Page[client.AuditEvent]], error) {
	now := time.Now().UTC()
	f, err := auditFilterOf(in.AuditFilter, now)
	if err != nil {
		return nil, err
	}
	total, err := s.Audit.Events.CountAuditEvents(ctx, f)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there is a next page
	all, err := s.Audit.Events.AuditEvents(ctx, f)
	if err != nil {
		return nil, err
	}
	p := client.Page[client.AuditEvent]{Items: []client.AuditEvent{}, Total: total, AsOf: now,
		Can: canOf(c.Actor, policy.Object{}, map[string]policy.Operation{"verify": policy.AuditVerify, "export": policy.AuditExport})}
	if len(all) > limit {
		all = all[:limit]
		p.Next = all[limit-1].ID
	}
	for _, e := range all {
		p.Items = append(p.Items, eventOf(e))
	}
	return &list[client.Page[client.AuditEvent]]{Body: p}, nil
}

func auditFilterOf(f client.AuditFilter, now time.Time) (store.AuditFilter, error) {
	out := store.AuditFilter{Actor: f.Actor, Action: f.Action, ObjectKind: f.Kind, ObjectID: f.Object, Run: f.Run,
		Outcome: audit.Outcome(f.Outcome), Before: f.Cursor, Limit: f.Limit}
	if out.Limit == 0 {
		out.Limit = 100
	}
	if f.Cursor != "" && uuid.Validate(f.Cursor) != nil {
		return out, fault.New(fault.Invalid, "the cursor is not one of this list").WithCure("begin again at the first page")
	}
	var err error
	if out.From, err = instantOf("from", f.From, now); err != nil {
		return out, err
	}
	out.To, err = instantOf("to", f.To, now)
	return out, err
}

// instantOf reads a time, or a span before now such as -24h. Nothing is the zero time.
func instantOf(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if strings.HasPrefix(text, "-") {
		if d, err := time.ParseDuration(text); err == nil {
			return now.Add(d), nil
		}
	} else if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, fault.New(fault.Invalid, "%q is neither a time nor a span before now", name).
		WithCure("write a time like 2026-01-31T12:00:00Z, or a span like -24h")
}

func eventOf(e store.AuditEntry) client.AuditEvent {
	return client.AuditEvent{ID: e.ID, Seq: e.Seq, At: e.At, ActorID: e.Actor.ID, Actor: e.Actor.Name, ActorKind: string(e.Actor.Kind), Via: e.Via,
		Address: e.Address, RequestID: e.RequestID, Action: e.Action, Kind: e.Object.Kind, ObjectID: e.Object.ID, Object: e.Object.Name,
		Parent: e.Object.Parent, Outcome: string(e.Outcome), Reason: e.Reason, Run: e.Run, Details: e.Details}
}

// verifyAudit checks all entries, which takes seconds for a long log. What it found is recorded before it is answered.
func (s *Server) verifyAudit(ctx context.Context, c call, _ *struct{}) (*list[client.AuditVerification], error) {
	out, err := s.checkLog(ctx)
	if err != nil {
		return nil, err
	}
	ev := audit.New(c.Actor, string(policy.AuditVerify), audit.Object{Kind: "audit"}).With("state", out.State).
		With("entries", strconv.FormatInt(out.Entries, 10))
	if out.State != "intact" {
		ev = ev.With("found", out.Reason)
	}
	if err := s.Audit.Events.Record(ctx, ev); err != nil {
		return nil, err
	}
	return &list[client.AuditVerification]{Body: out}, nil
}

func (s *Server) checkLog(ctx context.Context) (client.AuditVerification, error) {
	trust := audit.Trust{Key: s.Audit.Key}
	if s.Audit.Anchored != nil {
		var err error
		if trust.Anchored, err = s.Audit.Anchored(ctx); err != nil {
			return client.AuditVerification{}, err
		}
	}
	result, err := audit.Verify(ctx, s.Audit.Log, trust)
	if err != nil && (fault.KindOf(err) == "" || ctx.Err() != nil) {
		return client.AuditVerification{}, err
	}
	out := verificationOf(result, err)
	out.Key = s.Audit.Key
	if out.Restored, err = s.lostEntries(ctx); err != nil {
		return out, err
	}
	total, err := s.Audit.Events.CountAuditEvents(ctx, store.AuditFilter{})
	if err != nil {
		return out, err
	}
	// The head is read last, so events that got their place meanwhile are not counted as waiting.
	head, err := s.Audit.Log.Head(ctx)
	out.Unsequenced = max(0, total-head.Size)
	return out, err
}

// lostEntries says of each restore from a backup which entries the log once had that it does not have any more.
func (s *Server) lostEntries(ctx context.Context) ([]string, error) {
	all, err := s.Restores.Restores(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range all {
		what := "\"keyturn restore accept\" accepts that, and the heads that were kept outside are put aside"
		if !r.EndedAt.IsZero() {
			what = r.EndedBy + " accepted that at " + r.EndedAt.Format(time.RFC3339)
		}
		out = append(out, sentence("the repository was restored from a backup: "+r.Lost()+"; "+what))
	}
	return out, nil
}

// verificationOf says what a verification found; err is why it could not be made.
func verificationOf(r audit.Result, err error) client.AuditVerification {
	out := client.AuditVerification{State: "intact", Entries: r.Entries, Bad: -1, Head: string(r.Head.Signed), SignedAt: orNil(r.Head.At)}
	switch {
	case err != nil:
		out.State, out.Reason, out.Cure = "unchecked", "the log could not be checked", "try again, and look into the server's log"
		if f, ok := errors.AsType[*fault.Error](err); ok {
			out.Reason = f.Msg
		}
	case !r.OK():
		out.State, out.Reason = "broken", r.Bad.String()
		out.Cure = "keep the database as it is, export the log, and compare both with a backup and with the heads that were kept outside"
		if r.Bad.Exact() {
			out.Bad = r.Bad.From
		}
	}
	out.Reason, out.Cure = sentence(out.Reason), sentence(out.Cure)
	return out
}

// exportAudit records the export, then streams it. An answer that breaks off proves nothing, so the connection is cut
// when the export fails on the way.
func (s *Server) exportAudit(ctx context.Context, c call, in *auditExportIn) (*huma.StreamResponse, error) {
	ev := audit.New(c.Actor, string(policy.AuditExport), audit.Object{Kind: "audit"}).With("from", strconv.FormatInt(in.From, 10))
	if in.To > 0 {
		ev = ev.With("to", strconv.FormatInt(in.To, 10))
	}
	if err := s.Audit.Events.Record(ctx, ev); err != nil {
		return nil, err
	}
	r := requestOf(ctx)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := &lazyWriter{begin: func() io.Writer {
			hc.SetHeader("Content-Type", "application/x-ndjson")
			hc.SetHeader("Content-Disposition", `attachment; filename="keyturn-audit.ndjson"`)
			hc.SetStatus(http.StatusOK)
			return hc.BodyWriter()
		}}
		err := audit.Export(ctx, w, s.Audit.Log, audit.Selection{Key: s.Audit.Key, From: in.From, To: in.To})
		switch {
		case err == nil:
		case w.to == nil:
			p := problemOf(s.Log, r.id, err)
			hc.SetHeader("Content-Type", p.ContentType(""))
			hc.SetStatus(p.Status)
			_ = marshal(hc.BodyWriter(), p.Problem) // a client that went away is no fault of ours
		default:
			s.Log.Warn("an export of the audit log broke off", "request", r.id, "error", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// lazyWriter begins the answer with the first byte, so that a failure before it can still be one.
type lazyWriter struct {
	begin func() io.Writer
	to    io.Writer
}

// Write implements io.Writer.
func (w *lazyWriter) Write(b []byte) (int, error) {
	if w.to == nil {
		w.to = w.begin()
	}
	return w.to.Write(b)
}
