package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/vault"
	"github.com/keyturn/keyturn/test/testbed"
)

// bare is a client of an API server that shares nothing with Keyturn's.
type bare struct {
	http  *http.Client
	plane *testbed.ControlPlane
}

func newBare(t *testing.T, plane *testbed.ControlPlane) bare {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(plane.CAPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return bare{&http.Client{Transport: transport}, plane}
}

// do sends a request until the API server answers it, and returns the status and the answer.
func (b bare) do(ctx context.Context, method, path string, body any) (int, []byte) {
	text, _ := json.Marshal(body)
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, method, b.plane.URL+path, bytes.NewReader(text))
		if err != nil {
			return 0, nil
		}
		req.Header.Set("Authorization", "Bearer "+b.plane.AdminToken)
		req.Header.Set("Content-Type", "application/json")
		if method == http.MethodPatch {
			req.Header.Set("Content-Type", "application/merge-patch+json")
		}
		res, err := b.http.Do(req)
		if err == nil {
			answer, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err == nil && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests {
				return res.StatusCode, answer
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0, nil
}

// theirs is a Secret as the API server has it.
type theirs struct {
	Metadata struct{ Namespace, Name, UID, ResourceVersion string }
	Data     map[string][]byte
}

func (b bare) list(ctx context.Context, t *testing.T, namespace string) (all []theirs) {
	t.Helper()
	status, answer := b.do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/secrets", nil)
	var l struct{ Items []theirs }
	if err := json.Unmarshal(answer, &l); err != nil || status != http.StatusOK {
		t.Fatalf("list %s: status %d, %v", namespace, status, err)
	}
	return l.Items
}

// churn is what a week does to a cluster.
type churn struct {
	bare
	w          *followWorld
	namespaces []string
	names      int
}

// change does one random thing to one random Secret.
func (c churn) change(ctx context.Context, random *rand.Rand) {
	namespace, name := c.namespaces[random.IntN(len(c.namespaces))], fmt.Sprintf("s%d", random.IntN(c.names))
	path := "/api/v1/namespaces/" + namespace + "/secrets"
	value := []byte(strconv.FormatUint(random.Uint64(), 36))
	switch key := "k" + strconv.Itoa(random.IntN(3)); random.IntN(10) {
	case 0, 1, 2:
		c.do(ctx, http.MethodPost, path, map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "data": map[string]any{key: value}})
	case 3:
		c.do(ctx, http.MethodDelete, path+"/"+name, nil)
	case 4: // at once the same name again
		c.do(ctx, http.MethodDelete, path+"/"+name, nil)
		c.do(ctx, http.MethodPost, path, map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "data": map[string]any{key: value}})
	case 5:
		c.do(ctx, http.MethodPatch, path+"/"+name, map[string]any{"data": map[string]any{key: nil}})
	case 6:
		c.do(ctx, http.MethodPatch, path+"/"+name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"n": strconv.Itoa(random.IntN(9))}}})
	default:
		c.do(ctx, http.MethodPatch, path+"/"+name, map[string]any{"data": map[string]any{key: value}})
	}
}

// ours writes a key as a run does: compare-and-set on what was read, and what was stored is told to the repository.
func (c churn) ours(ctx context.Context, conn *kube.Conn, random *rand.Rand) {
	namespace, name := c.namespaces[random.IntN(len(c.namespaces))], fmt.Sprintf("s%d", random.IntN(c.names))
	now, err := conn.GetSecret(ctx, namespace, name)
	if err != nil {
		return
	}
	value := vault.NewValue([]byte(strconv.FormatUint(random.Uint64(), 36)))
	if now, err = conn.PatchSecret(ctx, namespace, name, now.UID, now.ResourceVersion, map[string]vault.Value{"k0": value}); err != nil {
		return
	}
	seen := fetched(now)
	seen.Written = []string{"k0"}
	_ = c.w.fetcher.Saw(ctx, c.w.cluster.ID, []inventory.Seen{seen}) // another write may have come between
}

// TestAWeekOfChurn changes Secrets at random from both sides, while the API server dies, forgets its past, and whoever follows is
// stopped or killed, and then compares repository and cluster key by key. CHURN_SEED repeats a week, CHURN_CHANGES is how
// much happens in it.
func TestAWeekOfChurn(t *testing.T) {
	seed, changes := uint64(time.Now().UnixNano()), 3000
	if s := os.Getenv("CHURN_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("CHURN_CHANGES"); s != "" {
		changes, _ = strconv.Atoi(s)
	}
	t.Logf("CHURN_SEED=%d CHURN_CHANGES=%d", seed, changes)
	plane, err := testbed.StartControlPlane(context.Background(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := churn{bare: newBare(t, plane), names: max(20, changes/100)}
	for i := range 5 {
		c.namespaces = append(c.namespaces, fmt.Sprintf("week-%d", i))
		c.do(t.Context(), http.MethodPost, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": c.namespaces[i]}})
	}
	c.w = newFollowWorld(t, plane, inventory.Scope{WholeCluster: true})
	c.w.run(t, &inventory.Selection{All: true})
	admin, err := kube.Dial(kube.Config{Server: plane.URL, CAPEM: plane.CAPEM, Token: vault.NewValue([]byte(plane.AdminToken)), AllowLoopback: true})
	c.w.do(t, err)
	t.Cleanup(admin.Close)

	following, stop := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	loops.Go(func() { c.follow(t, following, rand.New(rand.NewPCG(seed, 1))) })
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(10+i)))
			for range changes / 5 {
				c.change(t.Context(), random)
			}
		})
	}
	writers.Go(func() {
		random := rand.New(rand.NewPCG(seed, 20))
		for range changes / 5 {
			c.ours(t.Context(), admin, random)
		}
	})
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	c.trouble(t, done, rand.New(rand.NewPCG(seed, 2)))
	c.settle(t)
	stop()
	loops.Wait()
	c.compare(t)
}

// follow follows the cluster, and is stopped now and then.
func (c churn) follow(t *testing.T, ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		life, end := context.WithTimeout(ctx, time.Second+time.Duration(random.IntN(3000))*time.Millisecond)
		if err := c.w.follow.Run(life, c.w.cluster.ID); err != nil && ctx.Err() == nil {
			t.Logf("following ended: %v", err)
		}
		end()
	}
}

// trouble has the API server die and forget until done is closed.
func (c churn) trouble(t *testing.T, done <-chan struct{}, random *rand.Rand) {
	for {
		select {
		case <-done:
			return
		case <-time.After(2*time.Second + time.Duration(random.IntN(2000))*time.Millisecond):
		}
		if random.IntN(2) == 0 {
			c.w.do(t, c.w.plane.Forget(t.Context()))
			continue
		}
		c.w.plane.KillAPIServer()
		c.w.do(t, c.w.plane.RestartAPIServer(t.Context()))
	}
}

// settle waits until what the API server has last is in the repository: a Secret that is made now comes after all the others.
func (c churn) settle(t *testing.T) {
	t.Helper()
	c.w.put(t, c.namespaces[0], "last", "1")
	until(t, "the last change is there", func() bool { return c.w.holds(t, c.namespaces[0], "last", "1") })
}

// compare compares repository and cluster key by key.
func (c churn) compare(t *testing.T) {
	t.Helper()
	there, keys := map[inventory.Place]bool{}, 0
	for _, namespace := range c.namespaces {
		for _, s := range c.list(t.Context(), t, namespace) {
			there[inventory.Place{Namespace: namespace, Name: s.Metadata.Name}] = true
			at := c.w.stored(t, namespace, s.Metadata.Name)
			if len(at) != 1 || at[0].Gone || at[0].UID != s.Metadata.UID || at[0].ResourceVersion != s.Metadata.ResourceVersion {
				t.Errorf("%s/%s is %+v in the repository, and %+v in the cluster", namespace, s.Metadata.Name, at, s.Metadata)
				continue
			}
			data := c.w.data(t, c.w.secret(t, namespace, s.Metadata.Name))
			for k, v := range s.Data {
				if keys++; !data[k].Equal(vault.NewValue(v)) {
					t.Errorf("%s/%s: key %s is not what the cluster has", namespace, s.Metadata.Name, k)
				}
			}
			if len(data) != len(s.Data) {
				t.Errorf("%s/%s has %d keys in the repository and %d in the cluster", namespace, s.Metadata.Name, len(data), len(s.Data))
			}
		}
	}
	all, err := c.w.store.StoredAll(t.Context(), c.w.cluster.ID, c.namespaces)
	c.w.do(t, err)
	tombstones := 0
	for _, s := range all {
		if s.Gone {
			tombstones++
		}
		if s.Gone == there[s.Place] {
			t.Errorf("%s: gone is %v in the repository", s.Place, s.Gone)
		}
	}
	if keys == 0 || tombstones == 0 {
		t.Errorf("a week with %d keys and %d tombstones", keys, tombstones)
	}
	t.Logf("%d Secrets with %d keys compared, %d tombstones", len(there), keys, tombstones)
}
