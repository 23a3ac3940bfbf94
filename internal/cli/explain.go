package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
)

// explain prints an error as its title, cause, cure and what it left unchanged.
func (k *command) explain(err error) {
	line := k.errorLine
	if v, ok := errors.AsType[*verdict](err); ok {
		line("error", v.what)
		for _, f := range v.facts {
			line(f.word, f.text)
		}
		return
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		line("error", u.msg)
		line("cure", u.cure)
		return
	}
	if w, ok := errors.AsType[*waiting](err); ok {
		k.explainWaiting(w)
		return
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		if p.Report != nil {
			k.report(k.Err, *p.Report, true)
		}
		line("error", p.Title)
		cause := p.Cause
		if cause == "" {
			cause = p.Detail
		}
		named := slices.ContainsFunc(p.Errors, func(f client.FieldProblem) bool { return strings.EqualFold(f.Message, cause) })
		if cause != p.Title && !named { // else its field says the same, and where
			line("cause", cause)
		}
		for _, f := range p.Errors {
			line("cause", f.Location+": "+f.Message)
		}
		line("cure", k.cureOf(p))
		line("unchanged", p.Unchanged)
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		line("error", f.Msg)
		line("cure", f.Cure)
		line("unchanged", f.Unchanged)
		return
	}
	if errors.Is(err, context.Canceled) {
		line("error", "interrupted")
		line("unchanged", "What the server has begun goes on there.")
		return
	}
	line("error", err.Error())
}

// cureOf is the problem's cure in words of the command line, where those are others.
func (k *command) cureOf(p *client.Problem) string {
	switch {
	case p.Type == client.Differs:
		return "Say which side is right: --keep vault leaves the key behind until the next reset, " +
			"--keep cluster makes the key's value the account's current version."
	case p.Type == "urn:keyturn:problem:untrusted":
		return k.cureOfUntrusted()
	case p.Type == "urn:keyturn:problem:token-ended" && k.Env("KEYTURN_TOKEN") != "":
		return `Make a new token with "keyturn token create", and set KEYTURN_TOKEN to it.`
	case p.Type == "urn:keyturn:problem:secret-malformed" && k.Env("KEYTURN_TOKEN") != "":
		return "KEYTURN_TOKEN is no token: copy it again, whole, or unset it to use the session."
	case p.Type == "urn:keyturn:problem:session-ended":
		return `Sign in again with "keyturn login".`
	case p.Status == 401 && (p.Cure == "" || p.Type == "urn:keyturn:problem:unauthenticated"):
		return `Sign in with "keyturn login", or set KEYTURN_TOKEN.`
	case p.Type == "urn:keyturn:problem:sealed":
		return strings.TrimSpace(p.Cure + ` "keyturn unseal" opens it then.`)
	case p.RetryAfter > 0 && p.Cure == "":
		return fmt.Sprintf("Try again in %d s.", p.RetryAfter)
	default:
		return p.Cure
	}
}

// cureOfUntrusted tells a certificate that nobody has looked at from one that is another than before.
func (k *command) cureOfUntrusted() string {
	kept, err := k.loadSession()
	t, _ := k.target()
	switch {
	case k.Env("KEYTURN_CACERT") != "":
		return "Set KEYTURN_CACERT to a file with the CA that signed it; the one that is set did not."
	case err == nil && kept.CA != "" && t.url == kept.URL:
		return `It is not the one that you trusted when you signed in: the server has a new one, or something else answers in its place. ` +
			`Compare its SHA-256, which "keyturn login" shows, with what the server printed when it started, before you trust it.`
	}
	return `Sign in with "keyturn login", which shows the certificate, or set KEYTURN_CACERT to the CA that signed it.`
}
