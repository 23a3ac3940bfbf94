package config

import (
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestRatesComeFromTheEnvironment(t *testing.T) {
	t.Setenv("KEYTURN_ACTOR_RATE", "50")
	t.Setenv("KEYTURN_ANONYMOUS_RATE", "3")
	got, err := Server{Data: t.TempDir(), ActorRate: 7}.Complete()
	if err != nil || got.ActorRate != 7 || got.AnonymousRate != 3 {
		t.Errorf("%d, %d, %v", got.ActorRate, got.AnonymousRate, err)
	}
	for _, bad := range []string{"0", "-1", "many", "1.5"} {
		t.Setenv("KEYTURN_ANONYMOUS_RATE", bad)
		if _, err := (Server{Data: t.TempDir()}).Complete(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
