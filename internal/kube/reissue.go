package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	authn "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// A ServiceAccount's long-lived token is made by the cluster: whoever makes a Secret of its type that names the account
// gets it filled in, and whoever deletes the Secret ends the token.

// typeToken is the type of such a Secret.
const typeToken = string(core.SecretTypeServiceAccountToken)

// filledIn are the keys of such a Secret that the cluster writes.
var filledIn = []string{core.ServiceAccountTokenKey, core.ServiceAccountRootCAKey, core.ServiceAccountNamespaceKey}

// ofTheToken are the labels and annotations of such a Secret that the cluster writes about that very token.
var ofTheToken = []string{core.ServiceAccountUIDKey, "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"}

// AccountToken is what a ServiceAccount's long-lived token says of itself. It is not verified.
type AccountToken struct{ Namespace, Account, Secret string }

// ReadAccountToken reads it; ok is false when v is no such token: a short one has no Secret.
func ReadAccountToken(v vault.Value) (t AccountToken, ok bool) {
	var raw struct {
		Namespace string `json:"kubernetes.io/serviceaccount/namespace"`
		Account   string `json:"kubernetes.io/serviceaccount/service-account.name"`
		Secret    string `json:"kubernetes.io/serviceaccount/secret.name"`
	}
	_ = v.Expose(func(b []byte) error {
		parts := bytes.Split(b, []byte("."))
		ok = len(parts) == 3 && decodePart(parts[1], &raw)
		return nil
	})
	t = AccountToken{clip(raw.Namespace), clip(raw.Account), clip(raw.Secret)}
	return t, ok && t.Namespace != "" && t.Account != "" && t.Secret != ""
}

// AccountToken returns whose token the Secret holds, and the token, which is empty until the cluster has filled it in. ok is
// false of a Secret of another type.
func (s Secret) AccountToken() (account string, token vault.Value, ok bool) {
	return s.Annotations[core.ServiceAccountNameKey], s.Data[core.ServiceAccountTokenKey], s.Type == typeToken
}

// ReissueToken makes a Secret of another name for another token of the ServiceAccount that old is of, with old's labels,
// annotations and keys but for what the cluster fills in, and returns it once the cluster has: that may take up to 20 s. What
// an earlier call for the same name and run has made is taken for its own. It fails with fault.Conflict and CodeNameTaken
// when there is another Secret of that name, and otherwise as ReplaceSecret does. A Secret that the cluster deletes in
// place of filling it in fails with fault.NotFound: there is no such account.
func (c *Conn) ReissueToken(ctx context.Context, old Secret, made Replacement) (Secret, error) {
	what := fmt.Sprintf("make secret %s/%s", old.Namespace, made.Name)
	s, err := c.makeToken(ctx, old, made, what, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		return Secret{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, filledWithin)
	defer cancel()
	for look := time.NewTicker(lookEvery); ; {
		if s.Type != typeToken || s.MadeBy != made.By || s.Annotations[core.ServiceAccountNameKey] != old.Annotations[core.ServiceAccountNameKey] {
			return Secret{}, nameTaken(what)
		}
		if s.Data[core.ServiceAccountTokenKey].Len() > 0 {
			look.Stop()
			return s, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return Secret{}, fault.New(fault.Unavailable, "%s: the cluster did not fill the token in", what).WithCode("cluster-timeout").
				WithCure("look at the cluster's controller manager, then try again")
		}
		if s, err = c.GetSecret(ctx, old.Namespace, made.Name); err != nil {
			return Secret{}, noAccount(err, what, old.Annotations[core.ServiceAccountNameKey])
		}
	}
}

// noAccount says why a Secret that was made for a token is not there.
func noAccount(err error, what, account string) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, "%s: the cluster deleted it again, so there is no ServiceAccount %s", what, account).WithCode("account-gone").
		WithCure("make the ServiceAccount again, or remove the account")
}

// TryReissueToken is ReissueToken without its effect. The token is not filled in.
func (c *Conn) TryReissueToken(ctx context.Context, old Secret, made Replacement) (Secret, error) {
	what := fmt.Sprintf("make secret %s/%s", old.Namespace, made.Name)
	return c.makeToken(ctx, old, made, what, metav1.CreateOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
}

// makeToken makes the Secret, or returns the one that has its name.
func (c *Conn) makeToken(ctx context.Context, old Secret, made Replacement, what string, opts metav1.CreateOptions) (Secret, error) {
	body, err := made.tokenBody(old)
	defer clear(body)
	if err != nil {
		return Secret{}, err
	}
	s, err := sendOnce(ctx, func() *rest.Request {
		return c.typed.CoreV1().RESTClient().Post().Namespace(old.Namespace).Resource("secrets").VersionedParams(&opts, scheme.ParameterCodec).Body(body)
	})
	switch {
	case err == nil && (s.Name != made.Name || s.Namespace != old.Namespace || s.UID == ""):
		return Secret{}, noAnswer(what)
	case err == nil:
		return newSecret(s), nil
	case apierrors.IsAlreadyExists(err) && len(opts.DryRun) > 0:
		return Secret{}, nameTaken(what)
	case apierrors.IsAlreadyExists(err):
		there, err := c.GetSecret(ctx, old.Namespace, made.Name)
		if err != nil {
			return Secret{}, noAccount(err, what, old.Annotations[core.ServiceAccountNameKey])
		}
		return there, nil
	}
	return Secret{}, c.faultOf(ctx, err, what)
}

// tokenBody is the text of a Secret for another token of the account that old is of.
func (r Replacement) tokenBody(old Secret) ([]byte, error) {
	labels, annotations, rest := maps.Clone(old.Labels), maps.Clone(old.Annotations), maps.Clone(old.Data)
	if annotations == nil {
		annotations = map[string]string{}
	}
	for _, name := range ofTheToken {
		delete(labels, name)
		delete(annotations, name)
	}
	for _, key := range filledIn {
		delete(rest, key)
	}
	delete(annotations, lastApplied)
	annotations[annotationBase], annotations[annotationMadeBy] = r.Base, r.By
	head, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Secret", "type": typeToken,
		"metadata": object{"name": r.Name, "namespace": old.Namespace, "labels": labels, "annotations": annotations},
	})
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, len(head)+dataSize(rest))) // never grows, so no copy of a value is left behind
	b.Write(head[:len(head)-1])
	b.WriteByte(',')
	return appendData(b, rest)
}

func nameTaken(what string) error {
	return fault.New(fault.Conflict, "%s: there is a Secret of that name", what).WithCode(CodeNameTaken).
		WithCure("take another name").WithUnchanged("nothing was changed in the cluster")
}

// CodeTokenRefused is the code of a token that the API server does not take.
const CodeTokenRefused = codeToken

// WhoIs asks the API server who a token is. It fails with fault.Denied and CodeTokenRefused when that does not take it; one
// that was deleted a moment ago it may take for another ten seconds.
func (c *Conn) WhoIs(ctx context.Context, token vault.Value) (string, error) {
	if token.Len() == 0 { // which would be to ask without one
		return "", fault.New(fault.Denied, "the token is empty").WithCode(codeToken).WithCure("give one")
	}
	r, err := c.typed.AuthenticationV1().SelfSubjectReviews().Create(withToken(ctx, token), &authn.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", apiFault(err, "ask who the token is")
	}
	return clip(r.Status.UserInfo.Username), nil
}

// Lacks returns which of the rights to replace a token's Secret in a namespace the connector has not.
func (c *Conn) Lacks(ctx context.Context, namespace string) ([]Right, error) {
	needs := role{namespace: namespace, rules: replaceRules()}.rights()
	return c.missing(ctx, append(needs, Right{Verb: "get", Resource: "secrets", Namespace: namespace}))
}

// HasAccount fails with fault.NotFound when there is no such ServiceAccount.
func (c *Conn) HasAccount(ctx context.Context, namespace, name string) error {
	if _, err := c.typed.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
		return c.faultOf(ctx, err, fmt.Sprintf("read serviceaccount %s/%s", namespace, name))
	}
	return nil
}
