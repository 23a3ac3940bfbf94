package access

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

// shelf answers every question for a level with the same one and keeps what was recorded.
type shelf struct {
	level  policy.Level
	asked  int
	broken error // of Level
	full   error // of Record
	events []audit.Event
}

func (s *shelf) Level(context.Context, string, string, string, time.Time) (policy.Level, error) {
	s.asked++
	return s.level, s.broken
}

func (s *shelf) Record(ctx context.Context, ev audit.Event) error {
	if err := errors.Join(ctx.Err(), s.full); err != nil {
		return err
	}
	s.events = append(s.events, ev)
	return nil
}

func TestGate(t *testing.T) {
	user := identity.Actor{ID: "u", Name: "anna", Kind: identity.KindUser, Role: identity.PlainUser}
	admin := identity.Actor{ID: "r", Name: "root", Kind: identity.KindUser, Role: identity.Administrator}
	token := identity.Actor{ID: "u", Kind: identity.KindToken, Role: identity.PlainUser, Scopes: []string{"account.get"}}
	account := policy.Object{Kind: Account, ID: "a"}
	for name, tt := range map[string]struct {
		actor identity.Actor
		op    policy.Operation
		obj   policy.Object
		store shelf
		want  fault.Kind
		asked int
	}{
		"granted":            {user, policy.AccountReveal, account, shelf{level: policy.Reveal}, "", 1},
		"too little":         {user, policy.AccountReveal, account, shelf{level: policy.Use}, fault.Denied, 1},
		"unknown to it":      {user, policy.AccountReveal, account, shelf{}, fault.NotFound, 1},
		"caller's level":     {user, policy.AccountReveal, policy.Object{Kind: Account, ID: "a", Level: policy.Manage}, shelf{}, fault.NotFound, 1},
		"administrator":      {admin, policy.AccountReveal, account, shelf{}, "", 0},
		"a list":             {user, policy.AccountList, policy.Object{Kind: Account}, shelf{}, "", 0},
		"role has none":      {user, policy.ResourceCreate, policy.Object{Kind: Resource}, shelf{}, fault.Denied, 0},
		"not graded":         {user, policy.UserUpdate, policy.Object{Kind: "user", ID: "x"}, shelf{level: policy.Manage}, fault.NotFound, 0},
		"one's own":          {user, policy.TokenDelete, policy.Object{Kind: "token", ID: "x", Owner: "u"}, shelf{}, "", 0},
		"another's":          {user, policy.TokenDelete, policy.Object{Kind: "token", ID: "x", Owner: "v"}, shelf{}, fault.NotFound, 0},
		"token's scope":      {token, policy.AccountGet, account, shelf{level: policy.View}, "", 1},
		"beyond the scope":   {token, policy.AccountReveal, account, shelf{level: policy.Manage}, fault.Denied, 1},
		"beyond and unknown": {token, policy.AccountReveal, account, shelf{}, fault.NotFound, 1},
		"nobody":             {identity.Anonymous(""), policy.AccountReveal, account, shelf{}, fault.Unauthenticated, 0},
		"worker":             {identity.System("rotation-worker"), policy.AccountReset, account, shelf{}, "", 0},
		"worker elsewhere":   {identity.System("rotation-worker"), policy.UserDelete, account, shelf{}, fault.Denied, 0},
		"no answer":          {user, policy.AccountReveal, account, shelf{broken: fault.New(fault.Unavailable, "down")}, fault.Unavailable, 1},
		"no record":          {user, policy.AccountReveal, account, shelf{full: errors.New("full")}, fault.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := tt.store
			_, err := Gate{Store: &s}.Check(t.Context(), tt.actor, tt.op, tt.obj, "app")
			if fault.KindOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if s.asked != tt.asked {
				t.Errorf("asked for the level %d times, want %d", s.asked, tt.asked)
			}
			refused := err != nil && s.broken == nil && s.full == nil
			if refused != (len(s.events) == 1) {
				t.Fatalf("recorded %+v", s.events)
			}
			if refused {
				ev := s.events[0]
				if ev.Outcome != audit.Refused || ev.Action != string(tt.op) || ev.Object != (audit.Object{Kind: tt.obj.Kind, ID: tt.obj.ID, Name: "app"}) || ev.Reason == "" {
					t.Errorf("recorded %+v", ev)
				}
			}
		})
	}
}

// What is not there is answered as what is hidden, after the same work.
func TestUnknownReadsAsHidden(t *testing.T) {
	const id = "0198c0de-0000-7000-8000-000000000001"
	user := identity.Actor{ID: "u", Kind: identity.KindUser, Role: identity.PlainUser}
	admin := identity.Actor{ID: "r", Kind: identity.KindUser, Role: identity.Administrator}
	for name, tt := range map[string]struct {
		actor   identity.Actor
		ref, id string
		store   shelf
		want    fault.Kind
	}{
		"an id":         {user, id, id, shelf{}, fault.NotFound},
		"a name":        {user, "a name", "", shelf{}, fault.NotFound},
		"an odd id":     {user, "urn:uuid:" + id, "", shelf{}, fault.NotFound},
		"administrator": {admin, id, id, shelf{}, fault.NotFound},
		"no answer":     {user, id, "", shelf{broken: fault.New(fault.Unavailable, "down")}, fault.Unavailable},
		"no record":     {user, id, "", shelf{full: errors.New("full")}, fault.Unavailable},
	} {
		unknown, hidden := tt.store, tt.store
		err := Gate{Store: &unknown}.Unknown(t.Context(), tt.actor, policy.AccountReveal, Account, tt.ref)
		if fault.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
		if tt.want == fault.NotFound && (len(unknown.events) != 1 || unknown.events[0].Object != (audit.Object{Kind: Account, ID: tt.id}) || unknown.events[0].Outcome != audit.Refused) {
			t.Errorf("%s: recorded %+v", name, unknown.events)
		}
		_, same := Gate{Store: &hidden}.Check(t.Context(), tt.actor, policy.AccountReveal, policy.Object{Kind: Account, ID: id}, "app")
		if tt.actor.ID == user.ID && (same.Error() != err.Error() || hidden.asked != unknown.asked || len(hidden.events) != len(unknown.events)) {
			t.Errorf("%s: unknown %v after %d questions, hidden %v after %d", name, err, unknown.asked, same, hidden.asked)
		}
	}
}

func TestARefusalIsRecordedForACallerThatHungUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &shelf{}
	user := identity.Actor{ID: "u", Kind: identity.KindUser, Role: identity.PlainUser}
	if _, err := (Gate{Store: s}).Check(ctx, user, policy.AccountReveal, policy.Object{Kind: Account, ID: "a"}, "app"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if len(s.events) != 1 {
		t.Errorf("recorded %+v", s.events)
	}
}
