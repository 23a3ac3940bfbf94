package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/keyturn/keyturn/internal/fault"
)

// CodeNoDryRun is the code of a dry run that the cluster cannot carry out, so that it shows nothing.
const CodeNoDryRun = "dry-run-unsupported"

// Codes of refusals about which more can be found out.
const (
	codeAdmission = "admission-denied"
	codeRight     = "cluster-right-missing"
	codeToken     = "cluster-token-refused"
)

// apiFault turns an error of the API server or of the way to it into a fault. what names the attempt, such as "patch
// secret a/b". The server's own text is not passed on, for it may quote the object: of a refusal for want of a right only the
// right is, and PatchSecret adds what an admission policy said. A cancelled ctx is returned as it is.
// For a write, only faults with Unchanged set promise that nothing was stored; after any other the caller must read.
func apiFault(err error, what string) error {
	if err == nil || errors.Is(err, context.Canceled) || fault.KindOf(err) != "" {
		return err
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return wayFault(err, what)
	}
	const untouched = "nothing was changed in the cluster"
	f := func(k fault.Kind, code, cause, cure string) *fault.Error {
		return fault.New(k, "%s: %s", what, cause).WithCode(code).WithCure("%s", cure).WithUnchanged(untouched)
	}
	msg := status.Status().Message
	switch code := int(status.Status().Code); {
	case denied(msg):
		return f(fault.Conflict, codeAdmission, "an admission policy of the cluster refused it",
			"do what the policy asks for, or have the cluster's administrator change it, then try again")
	case code == http.StatusBadRequest && strings.Contains(msg, "does not support dry run"):
		return f(fault.Conflict, CodeNoDryRun, "an admission webhook of the cluster refuses whatever is only tried",
			"have the webhook declare sideEffects: None or NoneOnDryRun, if that is true of it")
	case code == http.StatusForbidden && strings.Contains(msg, "exceeded quota"):
		return f(fault.Conflict, "quota-exceeded", "a quota of the namespace is used up", "raise the ResourceQuota")
	case code == http.StatusUnauthorized:
		return f(fault.Denied, codeToken, "the cluster does not accept the token", "test the cluster and renew its token")
	case code == http.StatusForbidden:
		cause := "the connector has no right to do it"
		if right, ok := lackedRight(msg); ok {
			cause = "the connector has no right to " + right.String()
		}
		return f(fault.Denied, codeRight, cause, "test the cluster: the test lists what is missing, and prints the manifest that adds it")
	case code == http.StatusNotFound:
		return f(fault.NotFound, "cluster-object-gone", "the cluster has no such object", "sync the cluster")
	case code == http.StatusConflict, strings.Contains(msg, "metadata.uid: Invalid"):
		return f(fault.Stale, "secret-changed", "it changed since it was read", "read it and decide again")
	case strings.Contains(msg, "field is immutable when `immutable` is set"):
		return f(fault.Conflict, "secret-immutable", "the Secret is immutable", "use a Secret with a new name, or a mutable one")
	case code == http.StatusGone:
		return f(fault.Stale, CodeExpired, "the cluster no longer has that state", "list again from the beginning")
	case code == http.StatusRequestEntityTooLarge:
		return f(fault.TooLarge, "secret-too-large", "the object is larger than the cluster accepts", "make the value smaller")
	case code == http.StatusTooManyRequests:
		wait := time.Duration(0)
		if s, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = time.Duration(s) * time.Second
		}
		return f(fault.Throttled, "cluster-throttled", "the cluster has too much to do", "wait and try again").WithRetryAfter(wait)
	case code >= 500:
		return fault.New(fault.Unavailable, "%s: the API server failed with status %d", what, code).
			WithCode("cluster-error").WithCure("look at the API server's log, then try again")
	case code >= 300 && code < 400:
		return f(fault.Unavailable, "cluster-redirects", "the server redirects, which is not followed", "give the API server's own URL")
	default:
		return f(fault.Invalid, "cluster-refused", "the API server refused the request", "look at the API server's audit log")
	}
}

// wayFault names why no answer of the API server arrived, from a fixed set, so that it is no port scanner.
func wayFault(err error, what string) error {
	un := func(code, cause, cure string) error {
		return fault.New(fault.Unavailable, "%s: %s", what, cause).WithCode(code).WithCure("%s", cure)
	}
	if _, ok := errors.AsType[*refusedAddress](err); ok {
		return un("cluster-address-refused", "the host's address is not allowed", "use another address, or have it allowed in the configuration")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return un("cluster-untrusted", "the server's certificate is not trusted", "test the cluster and import its CA knowingly")
	}
	if errors.Is(err, errTooLarge) {
		return fault.New(fault.TooLarge, "%s: the answer is larger than %d MiB", what, maxAnswer>>20).WithCode("cluster-answer-too-large").
			WithCure(noAPIServer)
	}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && t.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return un("cluster-timeout", "the API server did not answer in time", "check the network, then try again")
	}
	if !onTheWay(err) {
		return un("cluster-answer-unreadable", "the API server's answer cannot be read", noAPIServer)
	}
	return un("cluster-unreachable", "the API server could not be reached", "check the network, then try again")
}

// onTheWay reports whether err broke the connection, in contrast to an answer that came and is none of an API server's.
func onTheWay(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}
