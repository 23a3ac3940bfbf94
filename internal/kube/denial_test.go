package kube

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func TestADenialIsShownUnlessItRepeatsAValue(t *testing.T) {
	const value = "tulip-harbour-copper-91"
	for said, shown := range map[string]bool{
		"change freeze until Monday":                                  true,
		"'" + value + "' is too weak":                                 false,
		"it begins with " + value[:quotable]:                          false,
		"data is " + base64.StdEncoding.EncodeToString([]byte(value)): false,
		"the mode may not be on":                                      false, // a short value as a word
		"the model may not be mentioned":                              true,
	} {
		err := &apierrors.StatusError{ErrStatus: metav1.Status{Code: 422,
			Message: `secrets "db" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ` + said}}
		got := denialOf(err, vault.NewValue([]byte(value)), vault.NewValue([]byte("on")))
		if shown != strings.HasSuffix(got, said) || !shown && got != withheld {
			t.Errorf("%q becomes %q", said, got)
		}
	}
	if got := denialOf(&apierrors.StatusError{ErrStatus: metav1.Status{Code: 422, Message: "data: Invalid value: " + value}}); got != "" {
		t.Errorf("another refusal's text is shown: %q", got)
	}
}

func TestAMissingRightIsNamed(t *testing.T) {
	const user = `secrets "db" is forbidden: User "system:serviceaccount:keyturn:keyturn" `
	for message, want := range map[string]string{
		user + `cannot patch resource "secrets" in API group "" in the namespace "shop"`:                   "patch secrets in namespace shop",
		user + `cannot list resource "secrets" in API group "" at the cluster scope`:                       "list secrets",
		user + `cannot create resource "serviceaccounts/token" in API group "" in the namespace "keyturn"`: "create serviceaccounts/token in namespace keyturn",
	} {
		err := apiFault(&apierrors.StatusError{ErrStatus: metav1.Status{Code: 403, Message: message}}, "try")
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "cluster-right-missing" || !strings.HasSuffix(f.Msg, "no right to "+want) {
			t.Errorf("%s: %v", message, err)
		}
	}
}

// A write whose first answer may hide that it was stored must not be sent again; one that was turned away at the door may.
func TestAWriteIsSentOnce(t *testing.T) {
	for status, want := range map[int]int32{http.StatusServiceUnavailable: 1, http.StatusInternalServerError: 1, http.StatusTooManyRequests: 2} {
		var sent atomic.Int32
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			answer := any(map[string]any{"kind": "Secret", "apiVersion": "v1", "metadata": map[string]string{"namespace": "shop", "name": "db", "uid": "u"}})
			if sent.Add(1) == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Code: int32(status), Status: metav1.StatusFailure,
					Reason:  map[int]metav1.StatusReason{http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests}[status],
					Details: &metav1.StatusDetails{RetryAfterSeconds: 1}}
			}
			_ = json.NewEncoder(w).Encode(answer)
		}))
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
		conn, err := Dial(Config{Server: srv.URL, CAPEM: ca, AllowLoopback: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.PatchSecret(t.Context(), "shop", "db", "u", "1", map[string]vault.Value{"password": vault.NewValue([]byte("x"))})
		if sent.Load() != want {
			t.Errorf("status %d: sent %d times, should be %d", status, sent.Load(), want)
		}
		if f, ok := errors.AsType[*fault.Error](err); want == 1 && (!ok || f.Kind != fault.Unavailable || f.Unchanged != "") {
			t.Errorf("status %d: %v must leave open whether it was stored", status, err)
		} else if want > 1 && err != nil {
			t.Errorf("status %d: %v", status, err)
		}
		conn.Close()
		srv.Close()
	}
}
