package target

import (
	"context"
	"slices"
	"strings"
)

// Comparer is a Target that can tell what an account may do, so that two accounts can stand in for each other knowingly.
type Comparer interface {
	Target
	// Rights returns a line for each thing that the account may do, that it has, and that it is set up with, but for its
	// value; two accounts that can stand in for each other have the same lines. A line completes "the account …": "has SELECT
	// on table public.orders". It logs in as by, needs no right to change anything, and fails with an [*Error] when it cannot
	// see all of it.
	Rights(ctx context.Context, c Connection, by Login, account string) ([]string, error)
}

// Differences says in words what the rights of two accounts have not in common, sorted; empty when they are the same.
func Differences(a string, ofA []string, b string, ofB []string) []string {
	var out []string
	for _, line := range ofA {
		if !slices.Contains(ofB, line) {
			out = append(out, "only "+a+" "+line)
		}
	}
	for _, line := range ofB {
		if !slices.Contains(ofA, line) {
			out = append(out, "only "+b+" "+line)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out)
}
