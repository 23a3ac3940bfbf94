// Package kubernetes is the target type of ServiceAccounts whose credential is a long-lived token: the content of a Secret of
// type kubernetes.io/service-account-token. The cluster makes such a token for whoever makes the Secret, and ends it with the
// Secret. A short token of a projected volume is none of these: the cluster renews it by itself.
package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	// Type is the type's name.
	Type = "kubernetes-token"
	// tokenKey is the key of the Secret in which the token stands.
	tokenKey = "token"
	// An API server remembers for ten seconds that a token was good. refusedWithin is how long it is asked until it has
	// forgotten, askEvery how often.
	refusedWithin, askEvery = 15 * time.Second, 250 * time.Millisecond
	// maxChanged is how often a Secret that changes under its deletion is read again.
	maxChanged = 5
)

// Target is the type. It keeps no connection and may be used by several goroutines at once.
type Target struct {
	cluster   target.Cluster
	namespace string
}

var _ target.Issuer = Target{}

// New returns the type.
func New() Target { return Target{} }

// In implements target.Issuer.
func (Target) In(c target.Cluster, namespace string) target.Issuer { return Target{c, namespace} }

// Spec implements target.Target.
func (Target) Spec() target.Spec {
	return target.Spec{
		Type:         Type,
		Name:         "Kubernetes (ServiceAccount tokens)",
		Description:  "Long-lived tokens of ServiceAccounts: the cluster issues another in a Secret of a new name, it is proved, everything is told, and the old one ends with its Secret.",
		Fields:       []target.Field{},
		Limits:       target.Limits{MinLength: 1, MaxLength: 65536, Alphabet: "a token that the cluster has made"},
		Capabilities: target.Capabilities{Verify: true, Change: true, Overlap: true},
	}
}

// accountName is what a ServiceAccount can be called.
var accountName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

func (t Target) check(account string) error {
	switch {
	case t.cluster == nil:
		return &target.Error{Outcome: target.Misconfigured, Msg: "the resource has no cluster", Cure: "give it one: --through-cluster CLUSTER --through NAMESPACE/serviceaccounts"}
	case !accountName.MatchString(account):
		return &target.Error{Outcome: target.Misconfigured, Msg: "that is no name of a ServiceAccount", Cure: "name the account as the cluster does"}
	}
	return nil
}

// Home implements target.Issuer.
func (t Target) Home(account string, value vault.Value) (name, key string, err error) {
	if err := t.check(account); err != nil {
		return "", "", err
	}
	namespace, of, secret, ok := t.cluster.Claims(value)
	switch {
	case !ok:
		return "", "", &target.Error{Outcome: target.Rejected, Msg: "the value is no token that stands in a Secret", Cure: "map the key token of a Secret of type kubernetes.io/service-account-token"}
	case namespace != t.namespace || of != account:
		return "", "", &target.Error{Outcome: target.Rejected, Msg: "the token is of another ServiceAccount", Cure: "name the account, and choose the namespace, as the token's Secret does"}
	}
	return secret, tokenKey, nil
}

// Verify implements target.Verifier: the API server says who the token is, and does not take it with a random signature.
func (t Target) Verify(ctx context.Context, _ target.Connection, l target.Login) error {
	if err := t.takes(ctx, l.User, l.Password); err != nil {
		return err
	}
	_, err := t.cluster.WhoIs(ctx, forged(l.Password))
	switch target.OutcomeOf(err) {
	case "":
		return &target.Error{Outcome: target.Unproven, Msg: "the API server takes a token with a random signature too", Cure: "look at how the API server authenticates"}
	case target.Refused:
		return nil
	}
	return err
}

// takes fails unless the API server says that value is a token of the account.
func (t Target) takes(ctx context.Context, account string, value vault.Value) error {
	if err := t.check(account); err != nil {
		return err
	}
	who, err := t.cluster.WhoIs(ctx, value)
	if err == nil && who != "system:serviceaccount:"+t.namespace+":"+account {
		err = &target.Error{Outcome: target.Unproven, Msg: "the API server takes the token, and says that it is somebody else", Cure: "store a token of the account"}
	}
	return err
}

// forged is the token with another signature of the same length.
func forged(token vault.Value) vault.Value {
	var out []byte
	_ = token.Expose(func(b []byte) error {
		body := b[:bytes.LastIndexByte(b, '.')+1]
		random := make([]byte, len(b)-len(body)+1)
		_, _ = rand.Read(random) // never fails
		signature := base64.RawURLEncoding.EncodeToString(random)
		out = append(append(out, body...), signature[:len(b)-len(body)]...)
		return nil
	})
	return vault.NewValue(out)
}

// Change implements target.Changer.
func (Target) Change(context.Context, target.Connection, target.Change) error {
	return &target.Error{Outcome: target.Unsupported, Msg: "the cluster makes tokens itself, and none in the place of another", Cure: "use the strategy overlap"}
}

// Add implements target.Overlapper: the cluster has made the token already, so its Secret has to be there.
func (t Target) Add(ctx context.Context, _ target.Connection, o target.Overlap) error {
	s, err := t.secret(ctx, o.Account, o.Next.Value)
	if err != nil {
		return err
	}
	if s == nil {
		return &target.Error{Outcome: target.Refused, Msg: "the Secret of that token is gone, and the token with it", Cure: "reset the account, so that another is issued"}
	}
	return nil
}

// secret returns the Secret that value stands in; nil when it is gone or holds another token by now.
func (t Target) secret(ctx context.Context, account string, value vault.Value) (*target.TokenSecret, error) {
	name, _, err := t.Home(account, value)
	if err != nil {
		return nil, err
	}
	s, there, err := t.cluster.Token(ctx, t.namespace, name)
	if err != nil || !there || s.Account != account || !s.Token.Equal(value) {
		return nil, err
	}
	return &s, nil
}

// Retire implements target.Overlapper: the Secret of the old token is deleted, if nobody has, and the API server asked until
// it does not take that any more.
func (t Target) Retire(ctx context.Context, _ target.Connection, o target.Overlap) error {
	if o.Current.Value.Equal(o.Next.Value) {
		return &target.Error{Outcome: target.Misconfigured, Msg: "the new value is the present one", Cure: "choose another value"}
	}
	if err := t.takes(ctx, o.Account, o.Next.Value); err != nil {
		return err
	}
	if err := t.delete(ctx, o.Account, o.Current.Value); err != nil {
		return err
	}
	for end := time.Now().Add(refusedWithin); ; {
		_, err := t.cluster.WhoIs(ctx, o.Current.Value)
		switch {
		case target.OutcomeOf(err) == target.Refused:
			return nil
		case err != nil:
			return &target.Error{Outcome: target.Unknown, Msg: "the old token's Secret is deleted; whether the token ended is not known", Cure: "try again"}
		case time.Now().After(end):
			return &target.Error{Outcome: target.Unknown, Msg: "the old token's Secret is deleted, and the API server still takes the token", Cure: "try again in a while"}
		}
		select {
		case <-ctx.Done():
			return &target.Error{Outcome: target.Unknown, Msg: "the old token's Secret is deleted; whether the token ended was not seen in time", Cure: "try again"}
		case <-time.After(askEvery):
		}
	}
}

// delete deletes the Secret that value stands in. That the token was used may change it meanwhile: the cluster notes when.
func (t Target) delete(ctx context.Context, account string, value vault.Value) error {
	for range maxChanged {
		s, err := t.secret(ctx, account, value)
		if err != nil || s == nil {
			return err
		}
		if changed, err := t.cluster.DeleteToken(ctx, *s); err != nil || !changed {
			return err
		}
	}
	return &target.Error{Outcome: target.Unreachable, Msg: "the old token's Secret changed again and again while it was to be deleted", Cure: "find what writes it, then try again"}
}

// Rehearse implements target.Rehearser.
func (t Target) Rehearse(ctx context.Context, _ target.Connection, by target.Login, account string) (string, error) {
	if err := t.check(account); err != nil {
		return "", err
	}
	lacks, err := t.cluster.Lacks(ctx, t.namespace)
	if err != nil {
		return "", err
	}
	if len(lacks) > 0 {
		return "", &target.Error{Outcome: target.NotPermitted, Msg: "the connector has no right to " + strings.Join(lacks, ", "),
			Cure: "apply the manifest that gives it: keyturn cluster config --restart --replace"}
	}
	if err := t.cluster.HasAccount(ctx, t.namespace, account); err != nil {
		return "", err
	}
	if by.User != account {
		return "", &target.Error{Outcome: target.NotPermitted, Msg: "a token is proved by itself alone", Cure: "leave the reconcile account out"}
	}
	if err := t.takes(ctx, by.User, by.Password); err != nil {
		return "", err
	}
	return "the connector may make and delete token Secrets in namespace " + t.namespace + ", and the account is there", nil
}
