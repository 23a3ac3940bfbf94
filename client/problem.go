package client

import "fmt"

// Problem is a refused or failed request (RFC 9457). It never carries what was submitted.
type Problem struct {
	// Type is a stable name such as "urn:keyturn:problem:stale".
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Cause     string         `json:"cause,omitempty"`     // why it happened
	Cure      string         `json:"cure,omitempty"`      // what to do now
	Unchanged string         `json:"unchanged,omitempty"` // what was not changed
	Errors    []FieldProblem `json:"errors,omitempty"`
	RequestID string         `json:"requestId,omitempty"` // names the entry in the server's log
	// Report is the outcome of a cluster's checks, when they are why it was refused.
	Report *Report `json:"report,omitempty"`
	// RetryAfter are the seconds to wait, from the header of that name.
	RetryAfter int `json:"-"`
}

// FieldProblem is one field that was not accepted.
type FieldProblem struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error is the title and, where there is one, the cause.
func (p *Problem) Error() string {
	if p.Cause != "" && p.Cause != p.Title {
		return fmt.Sprintf("%s: %s", p.Title, p.Cause)
	}
	return p.Title
}
