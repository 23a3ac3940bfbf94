package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	corev1 "k8s.io/api/core/v1"

	"github.com/keyturn/keyturn/client"
)

const (
	changeEvery = 20 * time.Millisecond // 50 changes a second
	changeFor   = 10 * time.Second
	// overtaken is how many times as long as a bare watch Keyturn may take.
	overtaken = 10
	// calm is how long a stream may be silent before what is still missing is called lost.
	calm = 5 * time.Second
)

// arrivals matches changes with their arrivals: those of one Secret arrive in their order.
type arrivals struct {
	mu    sync.Mutex
	sent  map[string][]time.Time
	took  []float64 // milliseconds
	wrong error
}

func newArrivals() *arrivals { return &arrivals{sent: map[string][]time.Time{}} }

func (a *arrivals) send(of string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[of] = append(a.sent[of], time.Now())
}

func (a *arrivals) arrive(of string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sent[of]) > 0 {
		a.took = append(a.took, float64(time.Since(a.sent[of][0]).Microseconds())/1000)
		a.sent[of] = a.sent[of][1:]
	}
}

// missing is how many changes have not arrived.
func (a *arrivals) missing() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sent {
		n += len(s)
	}
	return n
}

// p returns the time within which so many hundredths arrived.
func (a *arrivals) p(hundredths int) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	sorted := slices.Sorted(slices.Values(a.took))
	return sorted[min(len(sorted)-1, len(sorted)*hundredths/100)]
}

// latency measures how long a change takes from the moment it is sent to the API server until Keyturn's event stream tells that
// it is stored, and beside it, of the very same changes, until a bare watch shows it.
func (b *bench) latency(ctx context.Context) (figure, error) {
	secrets, err := b.client.Secrets(ctx, client.SecretFilter{Namespace: namespace(0)})
	if err != nil {
		return figure{}, err
	}
	ids := map[string]string{} // names by ids
	for _, s := range secrets.Items {
		ids[s.ID] = s.Name
	}
	var theirs, ours []float64
	for range b.rounds {
		bare, stored, err := b.churn(ctx, ids)
		if err != nil {
			return figure{}, err
		}
		theirs, ours = append(theirs, bare.p(99)), append(ours, stored.p(99))
		say("sync: p50 %.1f ms, p99 %.1f ms; a bare watch %.1f ms, %.1f ms (load %s)", stored.p(50), stored.p(99), bare.p(50), bare.p(99), load())
	}
	return newFigure("sync_latency", median(ours), "ms", median(theirs), overtaken), nil
}

// churn changes the Secrets of one namespace in turn, and returns when the changes arrived.
func (b *bench) churn(ctx context.Context, ids map[string]string) (bare, stored *arrivals, err error) {
	bare, stored = newArrivals(), newArrivals()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	secrets := b.bare.kube.CoreV1().Secrets(namespace(0))
	l, err := secrets.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	w, err := secrets.Watch(ctx, metav1.ListOptions{ResourceVersion: l.ResourceVersion})
	if err != nil {
		return nil, nil, err
	}
	defer w.Stop()
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer cancel()
	listeners.Go(func() {
		for e := range w.ResultChan() {
			if s, ok := e.Object.(*corev1.Secret); ok && e.Type == watch.Modified {
				bare.arrive(s.Name)
			}
		}
	})
	listeners.Go(func() {
		stored.wrong = b.client.Watch(ctx, 0, func(c client.Change) {
			if name := ids[c.ID]; name != "" && c.Kind == "secret" {
				stored.arrive(name)
			}
		})
	})
	if err := sleep(ctx, time.Second); err != nil { // until the stream stands
		return nil, nil, err
	}
	if err := b.changeOften(ctx, ids, bare, stored); err != nil {
		return nil, nil, err
	}
	for end := time.Now().Add(calm); bare.missing()+stored.missing() > 0; {
		if time.Now().After(end) {
			return nil, nil, fmt.Errorf("%d changes did not arrive at a bare watch, and %d at the event stream (%v)", bare.missing(), stored.missing(), stored.wrong)
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
	return bare, stored, nil
}

func (b *bench) changeOften(ctx context.Context, ids map[string]string, bare, stored *arrivals) error {
	names := make([]string, 0, len(ids))
	for _, name := range ids {
		names = append(names, name)
	}
	var writers sync.WaitGroup
	var mu sync.Mutex
	var failed error
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for i := range int(changeFor / changeEvery) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		name := names[i%len(names)]
		body := fmt.Sprintf(`{"data":{%q:%q}}`, valueKey, base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(time.Now().UnixNano(), 36))))
		bare.send(name)
		stored.send(name)
		writers.Go(func() {
			_, err := b.bare.kube.CoreV1().Secrets(namespace(0)).Patch(ctx, name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "kubectl-patch"})
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	writers.Wait()
	return failed
}
