package api

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
)

const problemPrefix = "urn:keyturn:problem:"

// statuses maps each kind of fault to its HTTP status; what is not in it is internal.
var statuses = map[fault.Kind]int{
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Stale:           http.StatusPreconditionFailed,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Throttled:       http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Sealed:          http.StatusServiceUnavailable,
}

// titles say in a few words what happened; the fault's own sentence is the cause.
var titles = map[fault.Kind]string{
	fault.Invalid:         "The request cannot be carried out as written",
	fault.Unauthenticated: "Nobody is signed in",
	fault.Denied:          "You may not do that",
	fault.NotFound:        "There is no such object",
	fault.Conflict:        "That cannot be done as things are",
	fault.Stale:           "It was changed since you read it",
	fault.TooLarge:        "The request is too large",
	fault.Throttled:       "Too many tries",
	fault.Unavailable:     "Something that is needed does not answer",
	fault.Sealed:          "Keyturn is sealed",
}

// problem is an error on its way out: the document, its status and headers.
type problem struct {
	client.Problem
	headers http.Header
}

func (p *problem) Error() string           { return p.Title }
func (p *problem) GetStatus() int          { return p.Status }
func (p *problem) GetHeaders() http.Header { return p.headers }

// ContentType makes huma answer with the media type of problem documents.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// failedChecks is a cluster that did not pass its checks, with what they showed.
type failedChecks struct {
	cause  *fault.Error
	report inventory.Report
}

func (e failedChecks) Error() string { return e.cause.Error() }
func (e failedChecks) Unwrap() error { return e.cause }

// problemOf turns an error into an answer. An error that is no fault becomes a blank 500, and log gets it.
func problemOf(log *slog.Logger, requestID string, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		log.Error("request failed", "request", requestID, "error", err)
		return &problem{Problem: client.Problem{
			Type: problemPrefix + "internal", Title: "Keyturn met a fault of its own", Status: http.StatusInternalServerError,
			Cause: "the server's log has the details under the request's id",
			Cure:  "look whether it was done before you repeat it; report it with the request's id", RequestID: requestID,
		}}
	}
	p := &problem{Problem: client.Problem{
		Type: problemPrefix + slug(f), Title: titles[f.Kind], Status: statuses[f.Kind], Cause: sentence(f.Msg), Cure: sentence(f.Cure),
		Unchanged: sentence(f.Unchanged), RequestID: requestID,
	}, headers: http.Header{}}
	if f.Field != "" {
		p.Errors = []client.FieldProblem{{Location: "body." + f.Field, Message: f.Msg}}
	}
	if f.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.Kind == fault.Unauthenticated {
		p.headers.Set("WWW-Authenticate", `Bearer realm="keyturn"`)
	}
	if c, ok := errors.AsType[failedChecks](err); ok {
		report := reportOf(c.report)
		p.Report = &report
	}
	return p
}

// inQuery says of each field that it stood in the query, as those of a request without a body do.
func (p *problem) inQuery() {
	for i, f := range p.Errors {
		if field, ok := strings.CutPrefix(f.Location, "body."); ok {
			p.Errors[i].Location = "query." + field
		}
	}
}

func slug(f *fault.Error) string {
	if f.Code != "" {
		return f.Code
	}
	return strings.ReplaceAll(string(f.Kind), " ", "-")
}

// sentence begins with a capital letter, as people read it; a fault's texts go on from others.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	if first, _, _ := strings.Cut(s, " "); strings.ContainsAny(first, "._/:") {
		return s // a name, not a word
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

var tightenOnce sync.Once

// tighten makes huma's own errors (what does not decode or validate) problem documents, and lets it take a field by its exact
// name only: the decoder takes a name in other letters too, so what was checked would not be what is used. huma keeps all
// this in variables of the package, and appends the submitted value to each error: that is dropped here.
func tighten() {
	tightenOnce.Do(func() {
		huma.ValidateStrictCasing = true
		huma.NewErrorWithContext = func(_ huma.Context, status int, msg string, errs ...error) huma.StatusError {
			return refusedByHuma(status, msg, errs)
		}
		huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return refusedByHuma(status, msg, errs) }
	})
}

func refusedByHuma(status int, msg string, errs []error) *problem {
	p := &problem{Problem: client.Problem{
		Type: problemPrefix + "invalid", Title: titles[fault.Invalid], Status: status, Cause: sentence(msg),
		Cure: "Look at the fields that are named and at the API's document.", Unchanged: "Nothing was changed.",
	}}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		p.Type, p.Title = problemPrefix+"too-large", titles[fault.TooLarge]
		p.Cure = "Send less, or in parts."
	case status == http.StatusUnsupportedMediaType: // huma's own text has what was sent
		p.Cause, p.Cure = "The body is of a kind that the API does not read.", "Send JSON, with the header Content-Type: application/json."
		return p
	case status >= http.StatusInternalServerError:
		p.Type, p.Title, p.Cause = problemPrefix+"internal", "Keyturn met a fault of its own", ""
	}
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			p.Errors = append(p.Errors, client.FieldProblem{Location: location(d), Message: d.Message})
		}
	}
	return p
}

// location says which field is at fault. The name of one that does not exist is the caller's own text, and may be a value
// in the wrong place: of it only the part of the request is told.
func location(d *huma.ErrorDetail) string {
	if d.Message == validation.MsgUnexpectedProperty || d.Message == "unknown query parameter" {
		part, _, _ := strings.Cut(d.Location, ".")
		return part
	}
	return clip(d.Location)
}

// clip keeps the name of a field that nobody knows from becoming a way to have a text repeated.
func clip(location string) string {
	const longest = 64
	if len(location) > longest || strings.ContainsAny(location, "\"'<> \t\r\n") {
		return "body"
	}
	return location
}

func throttled(msg string, wait time.Duration) error {
	return fault.New(fault.Throttled, "%s", msg).WithRetryAfter(wait).WithCure("wait, then try again")
}
