package access

import (
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/policy"
)

func TestEffective(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		grants []Grant
		want   policy.Level
	}{
		"none":           {nil, policy.None},
		"strongest":      {[]Grant{{Level: policy.View}, {Level: policy.Reveal}, {Level: policy.Use}}, policy.Reveal},
		"expires now":    {[]Grant{{Level: policy.Manage, ExpiresAt: now}, {Level: policy.View}}, policy.View},
		"still active":   {[]Grant{{Level: policy.Use, ExpiresAt: now.Add(1)}}, policy.Use},
		"no such level":  {[]Grant{{Level: 99}}, policy.None},
		"negative level": {[]Grant{{Level: -1}}, policy.None},
	} {
		if got := Effective(tt.grants, now); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	now := time.Unix(1000, 0)
	good := Grant{SubjectKind: User, SubjectID: "u", ObjectKind: Account, ObjectID: "a", Level: policy.Use}
	if err := good.Validate(now); err != nil {
		t.Fatal(err)
	}
	for field, spoil := range map[string]func(*Grant){
		"subjectKind": func(g *Grant) { g.SubjectKind = "token" },
		"subjectId":   func(g *Grant) { g.SubjectID = "" },
		"objectKind":  func(g *Grant) { g.ObjectKind = "secret" },
		"objectId":    func(g *Grant) { g.ObjectID = "" },
		"level":       func(g *Grant) { g.Level = policy.None },
		"expiresAt":   func(g *Grant) { g.ExpiresAt = now },
	} {
		g := good
		spoil(&g)
		f, ok := errors.AsType[*fault.Error](g.Validate(now))
		if !ok || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, f)
		}
	}
}
