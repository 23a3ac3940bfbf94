package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/testbed"
)

// reader is a program that logs in with what its Secret says, over and over.
type reader struct {
	logins, refused atomic.Int64
	values          map[string]bool
	last            string
	stop            func()
}

// readSecret starts one that connects every 10 ms with the URL in a key of its Secret. What stands beside it, alone in the
// keys username and password, has to be the same at all times.
func readSecret(t *testing.T, p *testbed.ControlPlane, namespace, name, key string, login func(ctx context.Context, at *url.URL, user, password string) error) *reader {
	t.Helper()
	api := trusting(p)
	ctx, cancel := context.WithCancel(t.Context())
	r, done := &reader{values: map[string]bool{}}, make(chan struct{})
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			data, err := secretData(ctx, api, p, namespace, name)
			if err != nil {
				continue // the API server is not what is looked at here
			}
			u, err := url.Parse(data[key])
			if err != nil {
				t.Errorf("the URL became none")
				return
			}
			value, _ := u.User.Password()
			if user, ok := data["username"]; ok && user != u.User.Username() || value != data["password"] {
				t.Errorf("the keys of one Secret are of two logins")
			}
			err = login(ctx, u, u.User.Username(), value)
			if ctx.Err() != nil {
				return
			}
			r.logins.Add(1)
			if r.values[value], r.last = true, value; err != nil {
				r.refused.Add(1)
			}
		}
	}()
	return r
}

// neverRefused stops the reader and fails the test if it was ever refused or has seen fewer values.
func (r *reader) neverRefused(t *testing.T, values int) {
	t.Helper()
	r.stop()
	t.Logf("%d logins with %d values, %d refused", r.logins.Load(), len(r.values), r.refused.Load())
	if r.refused.Load() != 0 || len(r.values) < values {
		t.Errorf("%d of %d logins were refused; %d values were seen, should be %d", r.refused.Load(), r.logins.Load(), len(r.values), values)
	}
}

// trusting is a client of the plane's API server.
func trusting(p *testbed.ControlPlane) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.CAPEM)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// secretData reads all keys of a Secret at once.
func secretData(ctx context.Context, api *http.Client, p *testbed.ControlPlane, namespace, name string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/v1/namespaces/"+namespace+"/secrets/"+name, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.AdminToken)
	res, err := api.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body) // to its end, so that the connection is used again
	if err != nil {
		return nil, err
	}
	var secret struct{ Data map[string][]byte }
	if err := json.Unmarshal(body, &secret); err != nil {
		return nil, err
	}
	data := map[string]string{}
	for k, v := range secret.Data {
		data[k] = string(v)
	}
	return data, nil
}
