package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// Leaks knows what a leaked value has to do with.
type Leaks interface {
	Exposed(ctx context.Context, v store.Viewer, prints []vault.Fingerprint) (all []rotation.Exposed, more bool, err error)
	KnownReaders(ctx context.Context, accounts []string, limit int) ([]store.KnownReader, error)
}

type (
	leakFindIn struct{ Body client.LeakQuery }
	// LeakRef names a value that was looked for.
	LeakRef struct {
		Leak string `path:"leak" maxLength:"200" doc:"id"`
	}
	leakPlacesIn struct {
		LeakRef
		client.HolderFilter
	}
)

// leakOps registers the answer to a leak. A search tells whether a guess is right, so: it is for administrators and operators,
// and a token needs a scope that names it; who does not see everything finds only what he may reveal anyway; it draws from the
// same bucket as comparisons do, one a second after the first sixty; and it is recorded before it is answered, with how many
// places were found, and with neither the value nor anything that stands for it.
func (s *Server) leakOps() {
	object := func(_ context.Context, ref string) (policy.Object, string, error) {
		_, err := s.leakPrints(ref)
		return unnamed("leak", ref, err)
	}
	op(s, operation[leakFindIn]{Method: http.MethodPost, Path: "/leaks/find", Op: policy.LeakFind,
		Summary: "Who holds a value, given by itself or by its SHA-256; the search is recorded, the value is not"}, s.findLeak)
	op(s, operation[leakPlacesIn]{Method: http.MethodGet, Path: "/leaks/{leak}/places", Op: policy.LeakPlan, ID: "leak.places",
		Summary: "The versions and keys that hold it or once did", Object: of[leakPlacesIn](object)}, s.leakPlaces)
	op(s, operation[LeakRef]{Method: http.MethodGet, Path: "/leaks/{leak}/plan", Op: policy.LeakPlan,
		Summary: "Which accounts have to be turned because of it, and in which order", Object: of[LeakRef](object)},
		func(ctx context.Context, c call, in *LeakRef) (*list[client.LeakPlan], error) {
			steps, out, err := s.leakPlan(ctx, c, in.Leak)
			if err != nil {
				return nil, err
			}
			out.Steps = leakSteps(steps)
			return &list[client.LeakPlan]{Body: out}, nil
		})
	op(s, operation[LeakRef]{Method: http.MethodPost, Path: "/leaks/{leak}/rotate", Op: policy.LeakRotate, Status: http.StatusAccepted,
		Summary: "Start the runs of its plan that can be started now", Object: of[LeakRef](object)}, s.rotateLeak)
}

func (r LeakRef) ref() string { return r.Leak }

// leakPrints returns the fingerprints of a leak's id.
func (s *Server) leakPrints(id string) (prints []vault.Fingerprint, err error) {
	for part := range strings.SplitSeq(id, ".") {
		alias, err := vault.ParseAlias(part)
		if err != nil || len(prints) == len(lineEnds) {
			return nil, unknown()
		}
		prints = append(prints, s.Prints.Unalias(alias))
	}
	return prints, nil
}

// lineEnds are what a value may have at its end without being another: files and "echo" add one, whoever pastes drops it.
var lineEnds = []string{"", "\n", "\r\n"}

// asked returns the fingerprints of what is looked for, and how it was given.
func (s *Server) asked(q client.LeakQuery) (prints []vault.Fingerprint, by string, err error) {
	bad := func(field, msg, cure string) ([]vault.Fingerprint, string, error) {
		return nil, "", fault.New(fault.Invalid, "%s", msg).WithField(field).WithCure("%s", cure)
	}
	switch {
	case q.Value.IsZero() == (q.SHA256 == ""):
		return bad("value", "a value is given, or its SHA-256: one of the two", "send either")
	case q.Value.IsZero():
		hash, err := hex.DecodeString(strings.ToLower(q.SHA256))
		if err != nil || len(hash) != 32 {
			return bad("sha256", "this is not a SHA-256 in hex", "give its 64 digits, without anything around them")
		}
		return []vault.Fingerprint{s.Prints.FingerprintOfHash([32]byte(hash))}, "sha256", nil
	}
	text := strings.TrimSuffix(strings.TrimSuffix(q.Value.Text(), "\n"), "\r")
	if text == "" {
		return bad("value", "the value is empty", "send the value that leaked")
	}
	for _, end := range lineEnds {
		prints = append(prints, s.Prints.Fingerprint(vault.NewValue([]byte(text+end))))
	}
	return prints, "value", nil
}

const (
	mostConsumers = 500
	firstUnmapped = 100
)

func (s *Server) findLeak(ctx context.Context, c call, in *leakFindIn) (*list[client.Leak], error) {
	if err := s.limit(ctx, s.limits.compare, c.Actor); err != nil {
		return nil, err
	}
	prints, by, err := s.asked(in.Body)
	if err != nil {
		return nil, err
	}
	p, err := s.Equals.Holders(ctx, viewer(c), store.HolderQuery{Prints: prints})
	if err != nil {
		return nil, err
	}
	accounts, _, err := s.Leaks.Exposed(ctx, viewer(c), prints)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(accounts))
	for i, a := range accounts {
		ids[i] = a.AccountID
	}
	readers, err := s.Leaks.KnownReaders(ctx, ids, mostConsumers)
	if err != nil {
		return nil, err
	}
	scope := "everything"
	if !viewer(c).All {
		scope = "what the actor may reveal"
	}
	ev := audit.New(c.Actor, string(policy.LeakFind), audit.Object{Kind: "leak"}).With("by", by).With("searched", scope).With("hits", strconv.FormatInt(p.Total, 10)).
		With("accounts", strconv.Itoa(len(accounts)))
	if err := s.record(ctx, ev); err != nil { // no audit, no answer
		return nil, err
	}
	out := client.Leak{ID: s.leakID(prints), Total: p.Total, Counts: p.Counts, Partial: !viewer(c).All, Next: p.Next, Places: make([]client.Holder, len(p.Items)),
		Consumers:     make([]client.LeakConsumer, len(readers)),
		ConsumersNote: "Workloads are known as the last run of each account found them; no cluster was asked now. Of keys without an account none is known."}
	for i, h := range p.Items {
		out.Places[i] = holderOf(c.Actor, h)
	}
	for i, r := range readers {
		out.Consumers[i] = client.LeakConsumer{AccountID: r.AccountID, ClusterID: r.ClusterID, ClusterName: r.ClusterName, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, SeenAt: r.SeenAt}
	}
	return &list[client.Leak]{Body: out}, nil
}

// leakID is how a search is named from here on.
func (s *Server) leakID(prints []vault.Fingerprint) string {
	var parts []string
	for _, p := range prints {
		parts = append(parts, s.Prints.Alias(p).String())
	}
	return strings.Join(parts, ".")
}

func (s *Server) leakPlaces(ctx context.Context, c call, in *leakPlacesIn) (*list[client.Page[client.Holder]], error) {
	prints, err := s.leakPrints(in.Leak)
	if err != nil {
		return nil, err
	}
	p, err := s.Equals.Holders(ctx, viewer(c), store.HolderQuery{Prints: prints, Search: in.Search, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(h store.Holder) client.Holder { return holderOf(c.Actor, h) }), nil
}

// leakPlan returns the steps of a plan, and the rest of it.
func (s *Server) leakPlan(ctx context.Context, c call, id string) ([]rotation.LeakStep, client.LeakPlan, error) {
	prints, err := s.leakPrints(id)
	if err != nil {
		return nil, client.LeakPlan{}, err
	}
	accounts, more, err := s.Leaks.Exposed(ctx, viewer(c), prints)
	if err != nil {
		return nil, client.LeakPlan{}, err
	}
	open, err := s.Equals.Holders(ctx, viewer(c), store.HolderQuery{Prints: prints, Unmapped: true, Limit: firstUnmapped})
	if err != nil {
		return nil, client.LeakPlan{}, err
	}
	out := client.LeakPlan{ID: id, Partial: more || !viewer(c).All, Unmapped: make([]client.Holder, len(open.Items)), UnmappedTotal: open.Total,
		Can: canOf(c.Actor, policy.Object{}, map[string]policy.Operation{"rotate": policy.LeakRotate})}
	for i, h := range open.Items {
		out.Unmapped[i] = holderOf(c.Actor, h)
	}
	return rotation.PlanLeak(accounts), out, nil
}

// rotateLeak starts what can be started. It may be called any number of times: an account that was turned does not hold the
// value any more, so each call finds what is left.
func (s *Server) rotateLeak(ctx context.Context, c call, in *LeakRef) (*list[client.LeakPlan], error) {
	steps, out, err := s.leakPlan(ctx, c, in.Leak)
	if err != nil {
		return nil, err
	}
	ev := audit.New(c.Actor, string(policy.LeakRotate), audit.Object{Kind: "leak"}).With("accounts", strconv.Itoa(len(steps))).With("unmapped", strconv.FormatInt(out.UnmappedTotal, 10))
	if err := s.record(ctx, ev); err != nil {
		return nil, err
	}
	out.Steps = leakSteps(steps)
	for i, step := range steps {
		if step.Action != rotation.LeakTurn {
			continue
		}
		run, err := s.turn(ctx, c, step)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			out.Steps[i].Action, out.Steps[i].Reason, out.Steps[i].Cure = "refused", sentence(f.Msg), sentence(f.Cure)
		} else if err != nil {
			return nil, err
		} else {
			out.Steps[i].Action, out.Steps[i].Run = "started", run.ID
		}
	}
	return &list[client.LeakPlan]{Body: out}, nil
}

// turn starts the run of one account, if the caller may.
func (s *Server) turn(ctx context.Context, c call, step rotation.LeakStep) (rotation.Run, error) {
	if _, err := s.check(ctx, c.Actor, policy.AccountReset, policy.Object{Kind: access.Account, ID: step.AccountID}, step.AccountName, nil); err != nil {
		return rotation.Run{}, err
	}
	return s.Runs.Start(ctx, c.Actor, rotation.Reset{AccountID: step.AccountID, Why: "its value has leaked"})
}

func leakSteps(steps []rotation.LeakStep) []client.LeakStep {
	names := make(map[string]string, len(steps))
	for _, x := range steps {
		names[x.AccountID] = x.ResourceName + "/" + x.AccountName
	}
	out := make([]client.LeakStep, len(steps))
	for i, x := range steps {
		out[i] = client.LeakStep{Order: x.Order, AccountID: x.AccountID, AccountName: x.AccountName, ResourceID: x.ResourceID, ResourceName: x.ResourceName, ResourceType: x.ResourceType,
			Action: string(x.Action), Reason: sentence(x.Reason), Cure: sentence(x.Cure), Keys: x.Keys, Namespaces: x.Namespaces, Clusters: x.Clusters, Run: x.OpenRun}
		for _, id := range x.After {
			out[i].After = append(out[i].After, names[id])
		}
	}
	return out
}
