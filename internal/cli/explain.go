package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
)

// explain prints an error as its title, cause, cure and what it left unchanged.
func (k *command) explain(err error) {
	if errors.Is(err, errFailed) {
		return
	}
	line := func(word, text string) {
		if text != "" {
			_, _ = fmt.Fprintf(k.Err, "%s: %s\n", word, clean(text))
		}
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		if p.Report != nil {
			k.report(k.Err, *p.Report)
		}
		line("error", p.Title)
		cause := p.Cause
		if cause == "" {
			cause = p.Detail
		}
		if cause != p.Title {
			line("cause", cause)
		}
		for _, f := range p.Errors {
			line("cause", f.Location+": "+f.Message)
		}
		line("cure", cureOf(p))
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
func cureOf(p *client.Problem) string {
	switch {
	case p.Type == client.Differs:
		return "Say which side is right: --keep vault leaves the key behind until the next reset, " +
			"--keep cluster makes the key's value the account's current version."
	case p.Type == "urn:keyturn:problem:untrusted":
		return `Sign in with "keyturn login", which shows the certificate, or set KEYTURN_CACERT to the CA that signed it.`
	case p.Status == 401 && p.Cure == "":
		return `Sign in with "keyturn login", or set KEYTURN_TOKEN.`
	case p.RetryAfter > 0 && p.Cure == "":
		return fmt.Sprintf("Try again in %d s.", p.RetryAfter)
	default:
		return p.Cure
	}
}
