package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

// Gate decides whether an actor may do something to an object, and records it when not. It returns the object with the
// level that the actor has on it.
type Gate interface {
	Check(ctx context.Context, actor identity.Actor, op policy.Operation, obj policy.Object, name string) (policy.Object, error)
	// Unknown is Check for an object that is not there. It never allows.
	Unknown(ctx context.Context, actor identity.Actor, op policy.Operation, kind, ref string) error
}

// operation describes one route. Object finds what it is about; nil means that it is about no single object.
type operation[I any] struct {
	Method, Path string // Path is below /api/v1
	Op           policy.Operation
	ID           string // of the OpenAPI operation; empty: the policy's word
	Summary      string
	Status       int // of success; 0: 200, or 204 without an answer
	// Object returns the object and its name for the audit log.
	Object func(ctx context.Context, in *I) (policy.Object, string, error)
	// Secret marks answers that carry a value: they are never kept for a repeated request.
	Secret bool
	// Stream is true for answers that are no JSON document of the output's type.
	Stream bool
}

// call is one request: who asks, and the object with the asker's level on it.
type call struct {
	identity.Actor
	Object policy.Object
	Called string // the object's name, for the audit log
	// Browser is true when the request came with the console's cookie, or from a page.
	Browser bool
}

// none is the output of operations without an answer.
type none struct{}

// answer is the output of most operations.
type answer[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// list answers with something that has no revision.
type list[T any] struct{ Body T }

// IfMatch is embedded in inputs of updates and deletions. It is exported because huma looks into no other.
type IfMatch struct {
	ETag string `header:"If-Match" maxLength:"64" doc:"the ETag that was read"`
}

// rev returns the revision that the caller read. It fails with the code precondition-required when there is none.
func (m IfMatch) rev() (int64, error) {
	if m.ETag == "" {
		return 0, &problem{Problem: precondition()}
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(m.ETag, "W/"), `"`), 10, 64)
	if err != nil {
		return 0, fault.New(fault.Stale, "the If-Match header is no ETag of this object").WithCure("read the object and send its ETag")
	}
	return n, nil
}

// etag is the ETag of a revision.
func etag(rev int64) string { return `"` + strconv.FormatInt(rev, 10) + `"` }

// op registers one operation. Everything that can be asked goes through here.
func op[I, O any](s *Server, o operation[I], handle func(ctx context.Context, c call, in *I) (*O, error)) {
	id := o.ID
	if id == "" {
		id = string(o.Op)
	}
	path := "/api/v1" + o.Path
	s.routes = append(s.routes, Route{Method: o.Method, Path: path, Op: o.Op, Secret: o.Secret})
	word, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
	huma.Register(s.huma, huma.Operation{
		OperationID: id, Method: o.Method, Path: path, Summary: o.Summary, DefaultStatus: o.Status, Tags: []string{word}, Parameters: keyed(o.Method, path, o.Op),
		MaxBodyBytes: maxBody, RejectUnknownQueryParameters: true, Metadata: map[string]any{"operation": string(o.Op)},
		Middlewares: huma.Middlewares{s.signedIn(o.Op)},
	}, func(ctx context.Context, in *I) (*O, error) {
		r := requestOf(ctx)
		r.secret = r.secret || o.Secret
		out, err := decide(ctx, s, r, o, in, handle)
		if err != nil {
			p := problemOf(s.Log, r.id, err)
			if o.Method == http.MethodGet {
				p.inQuery()
			}
			return nil, p
		}
		return out, nil
	})
}

// keyed is how the document says that a request may be sent again under its key, where that is so.
func keyed(method, path string, op policy.Operation) []*huma.Param {
	if method != http.MethodPost || repeatable(path) || anonymous(op) {
		return nil
	}
	longest := longestKey
	return []*huma.Param{{Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest},
		Description: "any text of your own, one for each thing to be done: a request that comes again under it gets the first one's answer, and nothing is done twice"}}
}

// signedIn refuses who is not signed in before anything of the request is read: neither its body nor what it names.
func (s *Server) signedIn(op policy.Operation) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r := requestOf(hc.Context())
		if r.actor.Kind != identity.KindAnonymous || anonymous(op) {
			next(hc)
			return
		}
		err := r.refused
		if !errors.Is(err, fault.Unavailable) { // else nobody could look who it is, and there is no refusal to be recorded
			_, err = s.Gate.Check(hc.Context(), r.actor, op, policy.Object{}, "")
		}
		if r.refused != nil && errors.Is(err, fault.Unauthenticated) {
			err = r.refused // a session that ended says so, rather than that nobody is signed in
		}
		p := problemOf(s.Log, r.id, err)
		for name, values := range p.headers {
			for _, v := range values {
				hc.AppendHeader(name, v)
			}
		}
		hc.SetHeader("Content-Type", p.ContentType(""))
		hc.SetStatus(p.Status)
		_ = marshal(hc.BodyWriter(), p.Problem) // a client that went away is no fault of ours
	}
}

func decide[I, O any](ctx context.Context, s *Server, r *request, o operation[I], in *I, handle func(context.Context, call, *I) (*O, error)) (*O, error) {
	c := call{Actor: r.actor, Browser: r.browser}
	var name string
	var err error
	if o.Object != nil {
		c.Object, name, err = o.Object(ctx, in)
	}
	// What nobody needs to be signed in for is allowed without a look at the repository, which may be sealed.
	if o.Object == nil && anonymous(o.Op) && policy.Decide(r.actor, o.Op, policy.Object{}).Allowed {
		return handle(ctx, c, in)
	}
	c.Called = name
	if c.Object, err = s.check(ctx, r.actor, o.Op, c.Object, name, err); err != nil {
		return nil, err
	}
	return handle(ctx, c, in)
}

// check lets the gate decide on what a look-up has found, or on what it has not: err is the look-up's.
func (s *Server) check(ctx context.Context, actor identity.Actor, op policy.Operation, obj policy.Object, name string, err error) (policy.Object, error) {
	switch {
	case err == nil:
		return s.Gate.Check(ctx, actor, op, obj, name)
	case errors.Is(err, fault.NotFound):
		return obj, s.Gate.Unknown(ctx, actor, op, obj.Kind, obj.ID)
	}
	return obj, err
}

// anonymous reports whether nobody needs to be signed in for op.
func anonymous(op policy.Operation) bool {
	return policy.Decide(identity.Anonymous(""), op, policy.Object{}).Allowed
}

// Route is one operation of the API.
type Route struct {
	Method, Path string
	Op           policy.Operation
	Secret       bool
}

// Routes lists every operation, in the order of their registration. The health route is the only one beside them.
func (s *Server) Routes() []Route { return s.routes }

const maxBody = 2 << 20 // bytes; a Secret of 1 MiB in base64 fits
