package app

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/password"
	"github.com/keyturn/keyturn/internal/vault"
)

// passwordRules is the document of a password policy. What is not given is that of the policy beneath it.
type passwordRules struct {
	Length    *int
	Alphabets []password.Class
	Exclude   *string
	Require   map[password.Class]int
	First     []password.Class
	Words     *int
	Separator *string
	Forbid    []string
	// ForbidName forbids the account's name.
	ForbidName *bool
}

// usualSeparator stands between words unless the policy says otherwise.
const usualSeparator = "-"

// passwordPolicy returns the default policy with what the documents set, the later one last, for an account of that name. It
// fails with fault.Invalid when one of them is no policy.
func passwordPolicy(account string, documents ...string) (password.Policy, error) {
	p, forbidName := password.Default(), false
	for _, document := range documents {
		if document == "" {
			continue
		}
		var asked passwordRules
		if err := json.Unmarshal([]byte(document), &asked); err != nil {
			return p, fault.New(fault.Invalid, "the password policy cannot be read").WithField("policy")
		}
		asked.over(&p)
		if asked.ForbidName != nil {
			forbidName = *asked.ForbidName
		}
	}
	// A name of a letter or two cannot be kept out of a value, nor does anybody recognise it there; none as long fits into one.
	if forbidName && len(account) >= password.MinForbiddenText && len(account) <= password.MaxForbiddenText {
		p.Forbid = append(p.Forbid, account)
	}
	return p, nil
}

// over sets in p what is asked for. Alphabets say anew of which classes there has to be one.
func (r passwordRules) over(p *password.Policy) {
	if r.Length != nil {
		p.Length = *r.Length
	}
	if r.Exclude != nil {
		p.Exclude = *r.Exclude
	}
	if r.Alphabets != nil {
		p.Alphabets, p.First, p.Require = r.Alphabets, nil, map[password.Class]int{}
		for _, c := range r.Alphabets {
			p.Require[c] = 1
		}
	}
	if r.Require != nil {
		p.Require = r.Require
	}
	if r.First != nil {
		p.First = r.First
	}
	if r.Words != nil {
		p.Words, p.Separator = *r.Words, usualSeparator
		if r.Length == nil {
			p.Length = 0 // the words alone decide
		}
	}
	if r.Separator != nil {
		p.Separator = *r.Separator
	}
	p.Forbid = append(p.Forbid, r.Forbid...)
}

// checkPasswordPolicy fails with fault.Invalid when no value can follow the document on a system without limits.
func checkPasswordPolicy(document string) error {
	p, err := passwordPolicy("an account", document)
	if err != nil {
		return err
	}
	return p.Check(target.Limits{})
}

// policies reads which policy applies to an account.
type policies struct{ store *store.Store }

func (p policies) of(ctx context.Context, accountID string) (rotation.Policy, error) {
	s, all, err := p.store.Standing(ctx, accountID)
	if err != nil {
		return rotation.Policy{}, err
	}
	found, _ := rotation.Select(all, s.Subject)
	return found, nil
}

// password returns the document of the password policy of an account.
func (p policies) password(ctx context.Context, accountID string) (string, error) {
	found, err := p.of(ctx, accountID)
	return found.Password, err
}

// checkValue says how a typed value fails to follow the policy of its account. The default asks nothing of what people type:
// the system itself says what it takes.
func (p policies) checkValue(ctx context.Context, accountID string, found rotation.Policy, value vault.Value) error {
	if found.Password == "" {
		return nil
	}
	account, err := p.store.Account(ctx, accountID)
	if err != nil {
		return err
	}
	rules, err := passwordPolicy(account.Name, found.Password)
	if err != nil {
		return err
	}
	var broken []string
	for _, v := range rules.Violations(value) {
		broken = append(broken, v.Msg)
	}
	if len(broken) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "the value does not follow the policy %s: %s", found.Name, strings.Join(broken, ", ")).WithField("value").
		WithCode("password-policy").WithCure("choose another value, or let one be generated").WithUnchanged("nothing was changed")
}

// policiesAPI is what the API needs for policies.
type policiesAPI struct {
	*rotation.Policies
	store *store.Store
	plans *rotation.Scheduler
}

// AssignmentNames implements api.Policies.
func (p policiesAPI) AssignmentNames(ctx context.Context, v store.Viewer) (map[string]string, error) {
	return p.store.AssignmentNames(ctx, v)
}

// Followers implements api.Policies.
func (p policiesAPI) Followers(ctx context.Context, v store.Viewer) (map[string]store.Followers, error) {
	return p.store.Followers(ctx, v)
}

// Explain implements api.Policies.
func (p policiesAPI) Explain(ctx context.Context, accountID string) ([]rotation.Applies, rotation.Plan, error) {
	return p.plans.Explain(ctx, accountID)
}

// EntropyBits implements api.Policies.
func (p policiesAPI) EntropyBits(document string) (float64, error) {
	rules, err := passwordPolicy("", document)
	if err != nil {
		return 0, err
	}
	return password.EntropyBits(rules, target.Limits{})
}
