package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	authz "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// quotable is the shortest part of a value that must not be repeated; a shorter value counts only as a word of its own,
// since a letter or two stand in any text.
const (
	quotable  = 12
	shortWord = 4
)

const withheld = "its reason repeats a part of a value and is not shown; the API server's audit log has it"

// denied reports whether message is that of an admission policy or webhook that refused a write.
func denied(message string) bool {
	return strings.Contains(message, "denied request") || strings.Contains(message, "denied the request")
}

// denialOf returns what an admission policy or webhook said when it refused a write, made fit to be shown. Whoever wrote
// the policy may have let it quote the object, so text that repeats a part of one of values is withheld.
func denialOf(err error, values ...vault.Value) string {
	text := messageOf(err)
	if !denied(text) {
		return ""
	}
	if _, rest, ok := strings.Cut(text, " is forbidden: "); ok {
		text = rest
	}
	for _, v := range values {
		repeated := false
		_ = v.Expose(func(b []byte) error {
			repeated = repeats(text, b) || repeats(text, base64.StdEncoding.AppendEncode(nil, b))
			return nil
		})
		if repeated {
			return withheld
		}
	}
	return clip(text)
}

// repeats reports whether text holds value, or of a long one any part that is long enough to tell something.
func repeats(text string, value []byte) bool {
	switch {
	case len(value) == 0:
		return false
	case len(value) < shortWord:
		words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("'\"`.,:;()[]{}=", r) })
		return slices.Contains(words, string(value))
	case len(value) <= quotable:
		return strings.Contains(text, string(value))
	}
	for i := 0; i+quotable <= len(text); i++ {
		if bytes.Contains(value, []byte(text[i:i+quotable])) {
			return true
		}
	}
	return false
}

var lacking = regexp.MustCompile(`cannot ([a-z]+) resource "([a-z0-9./-]+)" in API group "([a-z0-9.-]*)"(?: in the namespace "([a-z0-9-]+)")?`)

// lackedRight returns the right that an answer with status 403 says is missing.
func lackedRight(message string) (Right, bool) {
	m := lacking.FindStringSubmatch(message)
	if m == nil {
		return Right{}, false
	}
	resource, sub, _ := strings.Cut(m[2], "/")
	return Right{Verb: m[1], Group: m[3], Resource: resource, Subresource: sub, Namespace: m[4]}, true
}

// faultOf is apiFault for one who may have been refused by an API server that has just started: it knows no rights for a
// moment and refuses what is allowed. So a refusal for want of a right counts only if the server, asked, confirms it.
func (c *Conn) faultOf(ctx context.Context, err error, what string) error {
	refused := apiFault(err, what)
	right, ok := lackedRight(messageOf(err))
	if f, is := errors.AsType[*fault.Error](refused); !is || f.Code != codeRight || !ok {
		return refused
	}
	review := &authz.SelfSubjectAccessReview{Spec: authz.SelfSubjectAccessReviewSpec{ResourceAttributes: right.attributes()}}
	answer, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err == nil && !answer.Status.Allowed {
		return refused
	}
	return fault.New(fault.Unavailable, "%s: the API server refused what it allows, as it does just after its start", what).
		WithCode("cluster-starting").WithCure("wait and try again").WithUnchanged("nothing was changed in the cluster")
}

// messageOf is the API server's own text, which may quote the object; empty if the error is none of its.
func messageOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	return status.Status().Message
}
