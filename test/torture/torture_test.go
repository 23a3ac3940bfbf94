package main

import "testing"

// TestTorture is the short form; `make torture` is the long one.
func TestTorture(t *testing.T) {
	if !run(t.Context(), "", 20, 15, t.Output()) {
		t.Fail()
	}
}
