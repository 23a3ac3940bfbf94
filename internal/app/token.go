package app

import (
	"context"
	"errors"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// Tokens implements Insides.
func (c *Clusters) Tokens(ctx context.Context, clusterID string) (target.Cluster, error) {
	conn, err := c.conn(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	return tokens{conn}, nil
}

// tokens is one cluster as the type of its ServiceAccounts' tokens needs it.
type tokens struct{ conn *kube.Conn }

// WhoIs implements target.Cluster.
func (t tokens) WhoIs(ctx context.Context, token vault.Value) (string, error) {
	who, err := t.conn.WhoIs(ctx, token)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == kube.CodeTokenRefused {
		return "", &target.Error{Outcome: target.Refused, Msg: "the API server does not take the token", Cure: "compare the stored value with the Secret, or reset the account"}
	}
	return who, targetError(err, target.Unreachable)
}

// Claims implements target.Cluster.
func (tokens) Claims(token vault.Value) (namespace, account, secret string, ok bool) {
	said, ok := kube.ReadAccountToken(token)
	return said.Namespace, said.Account, said.Secret, ok
}

// Token implements target.Cluster.
func (t tokens) Token(ctx context.Context, namespace, name string) (target.TokenSecret, bool, error) {
	s, err := t.conn.GetSecret(ctx, namespace, name)
	if errors.Is(err, fault.NotFound) {
		return target.TokenSecret{}, false, nil
	}
	account, token, ok := s.AccountToken()
	return target.TokenSecret{Namespace: namespace, Name: name, UID: s.UID, ResourceVersion: s.ResourceVersion, Account: account, Token: token}, ok, targetError(err, target.Unreachable)
}

// DeleteToken implements target.Cluster.
func (t tokens) DeleteToken(ctx context.Context, s target.TokenSecret) (changed bool, err error) {
	err = t.conn.DeleteSecret(ctx, s.Namespace, s.Name, s.UID, s.ResourceVersion)
	switch {
	case errors.Is(err, fault.NotFound):
		return false, nil
	case errors.Is(err, fault.Stale):
		return true, nil
	}
	return false, targetError(err, target.Unknown)
}

// HasAccount implements target.Cluster.
func (t tokens) HasAccount(ctx context.Context, namespace, account string) error {
	err := t.conn.HasAccount(ctx, namespace, account)
	if errors.Is(err, fault.NotFound) {
		return &target.Error{Outcome: target.NoSuchAccount, Msg: "there is no such ServiceAccount", Cure: "make it in the cluster, or correct the account's name"}
	}
	return targetError(err, target.Unreachable)
}

// Lacks implements target.Cluster.
func (t tokens) Lacks(ctx context.Context, namespace string) ([]string, error) {
	lacks, err := t.conn.Lacks(ctx, namespace)
	names := make([]string, len(lacks))
	for i, right := range lacks {
		names[i] = right.String()
	}
	return names, targetError(err, target.Unreachable)
}

// targetError is a fault of a cluster as a target tells it: what the cluster refuses is definite, anything else is otherwise.
func targetError(err error, otherwise target.Outcome) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		if err != nil {
			err = &target.Error{Outcome: otherwise, Msg: "the call of the cluster was broken off"}
		}
		return err
	}
	outcome := otherwise
	if f.Kind == fault.Denied || f.Kind == fault.Conflict || f.Kind == fault.Invalid {
		outcome = target.NotPermitted
	}
	return &target.Error{Outcome: outcome, Msg: f.Msg, Cure: f.Cure}
}
