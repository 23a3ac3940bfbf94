package testbed

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Etcd is a running etcd that any number of control planes share, each below a prefix of its own. It asks for a client
// certificate, so no other user of the machine reads what the API servers store.
type Etcd struct {
	// URL is where it listens: https on loopback.
	URL string

	dir    dir
	client *tls.Config
	proc   *process
	once   sync.Once
	err    error
}

// EtcdOptions says how an etcd is started. The zero value is good.
type EtcdOptions struct {
	// Dir is an empty or new folder for its data, kept after Stop. Empty: a temporary one, removed by Stop.
	Dir string
}

// StartEtcd starts an etcd that answers health requests when this returns. It does not sync to disk.
func StartEtcd(ctx context.Context, o EtcdOptions) (*Etcd, error) {
	bin, err := kubeBin("server") // the name that go build gives it
	if err != nil {
		return nil, err
	}
	d, err := openDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	e := &Etcd{dir: d}
	if err := e.start(ctx, bin); err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return e, nil
}

func (e *Etcd) start(ctx context.Context, bin string) error {
	_, client, err := tlsFiles(e.dir, "etcd")
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	e.client = client
	return onFreePorts(2, func(ports []int) error {
		url, peer := fmt.Sprintf("https://127.0.0.1:%d", ports[0]), fmt.Sprintf("https://127.0.0.1:%d", ports[1])
		ready, done := httpProbe(client, url+"/health", "")
		defer done()
		cert, key, ca := e.dir.file("srv.crt"), e.dir.file("srv.key"), e.dir.file("ca.crt")
		e.proc, err = start(ctx, spec{
			name: "etcd", path: bin, dir: e.dir.path, log: e.dir.file("etcd.log"), ready: ready,
			env: []string{"HOME=" + e.dir.path},
			args: []string{
				"--name=keyturn", "--data-dir=" + e.dir.file("data"), "--unsafe-no-fsync", "--log-level=warn",
				"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
				"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=keyturn=" + peer,
				"--client-cert-auth", "--cert-file=" + cert, "--key-file=" + key, "--trusted-ca-file=" + ca,
				"--peer-client-cert-auth", "--peer-cert-file=" + cert, "--peer-key-file=" + key, "--peer-trusted-ca-file=" + ca,
				"--quota-backend-bytes=4294967296", // the default of 2 GiB is a few thousand versions of 1 MiB Secrets
			},
		})
		e.URL = url
		return err
	})
}

// Stop ends etcd. Control planes on it must be stopped first. It fails if etcd had crashed before.
func (e *Etcd) Stop() error {
	e.once.Do(func() { e.err = errors.Join(e.proc.shutdown(), e.dir.remove()) })
	return e.err
}

// Compact makes etcd forget every state but the present one. API servers go on serving what they remember themselves, until
// they are started anew.
func (e *Etcd) Compact(ctx context.Context) error {
	var now struct {
		Header struct{ Revision string }
	}
	if err := e.call(ctx, "/v3/kv/range", map[string]any{"key": []byte{0}, "limit": 1}, &now); err != nil {
		return fmt.Errorf("compact etcd: %w", err)
	}
	if err := e.call(ctx, "/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, &struct{}{}); err != nil {
		return fmt.Errorf("compact etcd: %w", err)
	}
	return nil
}

// call sends a request to etcd's JSON gateway.
func (e *Etcd) call(ctx context.Context, path string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: e.client}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// httpProbe returns a probe that succeeds when a GET of url answers 200, and a function that closes its connections.
func httpProbe(conf *tls.Config, url, token string) (probe func(context.Context) error, done func()) {
	transport := &http.Transport{TLSClientConfig: conf} // no proxy: the zero value asks no environment variable
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, res.Status)
		}
		return nil
	}, transport.CloseIdleConnections
}
