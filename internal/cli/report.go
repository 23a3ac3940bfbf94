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

// printReport prints the outcome of a test. A check that failed fails the command, with its cause and cure on standard
// error.
func (k *command) printReport(r client.Report) error {
	if !k.tableOutput() {
		if err := k.document(r); err != nil {
			return err
		}
	} else {
		k.report(k.Out, r, false)
	}
	if !r.OK {
		return reportVerdict(r)
	}
	return nil
}

func reportVerdict(r client.Report) error {
	var facts []fact
	for _, check := range r.Checks {
		for _, step := range check.Steps {
			if step.Cause != "" && step.State != "done" {
				facts = append(facts, fact{"cause", step.Cause}, fact{"cure", step.Cure})
			}
		}
	}
	return failed("the cluster did not pass its checks", facts...)
}

// report writes the checks step by step, each failure with its cause and its cure if why is set.
func (k *command) report(w io.Writer, r client.Report, why bool) {
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
			if step.Cause != "" && step.State == "done" {
				line(11, "warning: %s%s", step.Cause, after("; ", step.Cure))
				continue
			}
			if why && step.Cause != "" {
				line(11, "cause: %s", step.Cause)
			}
			if why && step.Cure != "" {
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
