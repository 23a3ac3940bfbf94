package kube

import (
	"context"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	// filledWithin is how long the cluster's controller may take to fill a token in, and lookEvery how often it is looked for.
	filledWithin = 20 * time.Second
	lookEvery    = 100 * time.Millisecond
)

// tokenSecret is the Secret of which token is the content. It fails with fault.Conflict unless that is one of the two that
// a connector's long-lived tokens take turns in.
func tokenSecret(token vault.Value) (string, error) {
	claims, ok := readClaims(token)
	if !ok || notOwn(token) != "" || claims.Secret != ConnectorToken && claims.Secret != ConnectorSecondToken {
		return "", fault.New(fault.Conflict, "the cluster's token is not the content of Secret %s or %s in namespace %s", ConnectorToken, ConnectorSecondToken, ConnectorNamespace).
			WithCode("token-not-own").WithCure("connect with the token of keyturn-config.yaml; another one is renewed where it was made").WithUnchanged("nothing was changed in the cluster")
	}
	return claims.Secret, nil
}

// NextToken makes another long-lived token of the connector's account. present, which is in use, goes on to work. What an
// earlier renewal that did not come to its end has left is replaced. It waits up to 20 s for the cluster to fill the token
// in.
func (c *Conn) NextToken(ctx context.Context, present vault.Value) (vault.Value, error) {
	used, err := tokenSecret(present)
	if err != nil {
		return vault.Value{}, err
	}
	name := ConnectorToken
	if used == name {
		name = ConnectorSecondToken
	}
	if err := c.deleteToken(ctx, name); err != nil {
		return vault.Value{}, err
	}
	const what = "make the connector's next token"
	secret := &core.Secret{Type: core.SecretTypeServiceAccountToken, ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{core.ServiceAccountNameKey: ConnectorAccount}}}
	secrets := c.typed.CoreV1().Secrets(ConnectorNamespace)
	if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return vault.Value{}, c.faultOf(ctx, err, what)
	}
	ctx, cancel := context.WithTimeout(ctx, filledWithin)
	defer cancel()
	for look := time.NewTicker(lookEvery); ; {
		made, err := secrets.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return vault.Value{}, c.faultOf(ctx, err, what)
		}
		if token := made.Data[core.ServiceAccountTokenKey]; len(token) > 0 {
			look.Stop()
			return vault.NewValue(token), nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return vault.Value{}, fault.New(fault.Unavailable, "%s: the cluster did not fill it in", what).WithCode("cluster-timeout").
				WithCure("look at the cluster's controller manager, then try again")
		}
	}
}

// RemoveToken deletes the Secret that a long-lived token of the connector's account is the content of, so that the token
// ends. One that is gone is no error.
func (c *Conn) RemoveToken(ctx context.Context, token vault.Value) error {
	name, err := tokenSecret(token)
	if err != nil {
		return err
	}
	return c.deleteToken(ctx, name)
}

func (c *Conn) deleteToken(ctx context.Context, name string) error {
	err := c.typed.CoreV1().Secrets(ConnectorNamespace).Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return c.faultOf(ctx, err, "remove the connector's token in Secret "+name)
	}
	return nil
}
