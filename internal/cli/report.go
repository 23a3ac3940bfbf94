package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

// checkTitles says what each of the three checks asks.
var checkTitles = map[string]string{
	"host":  "Is the host reachable and trusted?",
	"api":   "Is it a Kubernetes API server?",
	"token": "Does the token work, with the rights it needs?",
}

// printReport prints the outcome of a test, which fails the command when a check failed.
func (k *command) printReport(r client.Report) error {
	if !k.tableOutput() {
		if err := k.document(r); err != nil {
			return err
		}
	} else {
		k.report(k.Out, r)
	}
	if !r.OK {
		return errFailed
	}
	return nil
}

// report writes the checks step by step, each failure with its cause and its cure.
func (k *command) report(w io.Writer, r client.Report) {
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		b.WriteString(strings.Repeat(" ", indent) + clean(fmt.Sprintf(format, args...)) + "\n")
	}
	for i, check := range r.Checks {
		title := checkTitles[check.Name]
		if title == "" {
			title = check.Name
		}
		line(0, "%d. %s  %s", i+1, title, word(state.Step, check.State))
		for _, step := range check.Steps {
			line(3, "%-7s %s%s", word(state.Step, step.State), step.Name, after(": ", step.Detail))
			if step.Cause != "" {
				line(11, "cause: %s", step.Cause)
			}
			if step.Cure != "" {
				line(11, "cure: %s", step.Cure)
			}
		}
	}
	for _, cert := range r.Chain {
		line(3, "presented: %s, issued by %s, until %s", cert.Subject, cert.Issuer, instant(cert.NotAfter))
		line(11, "SHA-256 %s", cert.SHA256)
	}
	for _, right := range r.Missing {
		line(3, "missing right: %s", right)
	}
	if r.MissingManifest != "" {
		line(3, "this adds them; apply it with kubectl:")
		b.WriteString(cleanLines(strings.TrimRight(r.MissingManifest, "\n")) + "\n")
	}
	if r.OK {
		line(0, "All three checks passed: Kubernetes %s, as %s.", r.Version, r.User)
	}
	if r.Known != "" && r.Removed {
		line(0, "This is cluster %s, which was removed; --reattach continues it.", r.Known)
	} else if r.Known != "" {
		line(0, "This is cluster %s, which is connected already.", r.Known)
	}
	_, _ = io.WriteString(w, b.String())
}

// after returns s behind sep, or nothing if s is empty.
func after(sep, s string) string {
	if s == "" {
		return ""
	}
	return sep + s
}
