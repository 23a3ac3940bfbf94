package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// verdict is an outcome that is no success: what was asked for stands on standard output, and why it is not good and what
// helps belongs on standard error, so that a script which keeps the output still shows it.
type verdict struct {
	what  string
	facts []fact
}

func (v *verdict) Error() string { return v.what }

// failed makes a verdict. Empty facts are left out when it is printed.
func failed(what string, facts ...fact) error { return &verdict{what, facts} }

// waiting is why a command no longer waits for something that goes on in the server without it.
type waiting struct {
	err  error  // an interruption, or what kept the command from looking
	what string // "the run", "the fetch"
	see  string // the command that shows it
}

func (w *waiting) Error() string { return fmt.Sprintf("wait for %s: %v", w.what, w.err) }

func (w *waiting) Unwrap() error { return w.err }

// stopped returns err as what ended the waiting, nil if there is none.
func stopped(err error, what, see string) error {
	if err == nil {
		return nil
	}
	return &waiting{err, what, see}
}

// explainWaiting says that what was waited for goes on, and how to see it.
func (k *command) explainWaiting(w *waiting) {
	if errors.Is(w.err, context.Canceled) {
		k.errorLine("error", "interrupted; only the waiting has stopped")
	} else {
		k.explain(w.err)
	}
	k.errorLine("unchanged", strings.ToUpper(w.what[:1])+w.what[1:]+" goes on in the server.")
	k.errorLine("see", w.see)
}

// errorLine writes a line of standard error, nothing if text is empty.
func (k *command) errorLine(word, text string) {
	if text != "" {
		_, _ = fmt.Fprintf(k.Err, "%s: %s\n", word, clean(text))
	}
}
