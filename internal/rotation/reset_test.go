package rotation

import (
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestTheCurrentValueIsNotSetAgain(t *testing.T) {
	same, other := vault.NewValue([]byte("old")), vault.NewValue([]byte("other"))
	for name, tt := range map[string]struct {
		reset Reset
		want  fault.Kind
	}{
		"typed":                    {Reset{Value: &same}, fault.Conflict},
		"an older version of it":   {Reset{Version: 2}, fault.Conflict},
		"another, typed":           {Reset{Value: &other}, ""},
		"another, of another time": {Reset{Version: 3}, ""},
	} {
		p, s := newPlanned(t, Rules{})
		p.keep(2, "old", "retired")
		p.keep(3, "other", "retired")
		tt.reset.AccountID = "acc"
		if _, err := s.Resets.Start(t.Context(), identity.System("test"), tt.reset); fault.KindOf(err) != tt.want || len(p.opened) > 0 != (tt.want == "") {
			t.Errorf("%s: %v, %d runs", name, err, len(p.opened))
		}
	}
}
