package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/jobs"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/rotation/schedule"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/generic"
	"github.com/keyturn/keyturn/internal/vault"
)

// turning is a repository on SQLite whose accounts a policy turns, with the loops as a server has them.
type turning struct {
	t        *testing.T
	store    *store.Store
	ring     *vault.Ring
	engine   *rotation.Engine
	plans    *rotation.Scheduler
	runs     *jobs.Worker
	turns    *jobs.Worker
	accounts []string

	mu                   sync.Mutex
	working, mostWorking int
	open, mostOpen       int
}

// newTurning has n accounts of a system without a remote side, whose values are as old as age and are to be turned every
// day.
func newTurning(t *testing.T, n int, age time.Duration) *turning {
	t.Helper()
	ctx, s := t.Context(), storetest.Open(t, storetest.SQLite(t))
	key := make([]byte, vault.KeyLen)
	_, _ = rand.Read(key)
	root, err := vault.NewRootKey(key)
	w := &turning{t: t, store: s}
	w.do(err)
	ring, rows, err := vault.NewRing(root)
	w.do(err)
	w.do(s.SaveRing(ctx, 1, rows, fetchHappened("ring.create")))
	w.ring = ring
	registry, err := target.NewRegistry(generic.New())
	w.do(err)
	log, applying := slog.New(slog.DiscardHandler), policies{s}
	targets := Targets{Store: s, Ring: w.ring, Registry: registry, Policy: applying.password}
	w.engine = &rotation.Engine{Store: s, Vault: w.ring, Targets: targets, Clusters: &Clusters{Store: s, Ring: w.ring}, Log: log, Owner: "a", Lease: lease, MaxTries: maxTries, Policy: applying.of}
	w.runs = &jobs.Worker{Name: "run", Due: s.DueRuns, Do: w.work, Slots: runSlots, Every: dueEvery, Log: log}
	w.plans = &rotation.Scheduler{Store: s, Resets: &rotation.Resets{Store: s, Vault: w.ring, Targets: targets, Wake: w.runs.Wake, Policy: applying.of},
		CanVerify: func(string) bool { return false }, Log: log}
	w.turns = &jobs.Worker{Name: "schedule", Due: w.plans.Due, Do: w.turn, Slots: turnSlots, Every: dueEvery, Log: log}

	all, err := s.Policies(ctx)
	w.do(err)
	for _, p := range all {
		if p.ID == rotation.DefaultPolicy {
			p.Rules.Rules = schedule.Rules{Every: "24h"}
			w.do(s.UpdatePolicy(ctx, p, p.Rev, fetchHappened("policy.update")))
		}
	}
	made := time.Now().Add(-age)
	r := inventory.Resource{ID: fetchID(), Name: "many", Type: "generic", CreatedAt: made}
	w.do(s.AddResource(ctx, r, nil, fetchHappened("resource.create")))
	for i := range n {
		a := inventory.Account{ID: fetchID(), ResourceID: r.ID, Name: fmt.Sprintf("app-%04d", i), State: inventory.AccountUnverified, Current: 1, CreatedAt: made}
		sealed, err := w.ring.Seal(inventory.VersionRecord(a.ID, 1), vault.NewValue([]byte("the first")))
		w.do(err)
		v := inventory.Version{AccountID: a.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, CreatedAt: made, Sealed: sealed}
		w.do(s.AddAccount(ctx, a, &v, nil, fetchHappened("account.create")))
		w.accounts = append(w.accounts, a.ID)
	}
	return w
}

func (w *turning) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *turning) work(ctx context.Context, id string) error {
	w.mu.Lock()
	w.working++
	w.mostWorking = max(w.mostWorking, w.working)
	w.mu.Unlock()
	err := w.engine.Resume(ctx, id)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working--
	if err == nil {
		w.open--
	}
	return err
}

func (w *turning) turn(ctx context.Context, id string) error {
	w.mu.Lock()
	w.open++
	w.mostOpen = max(w.mostOpen, w.open)
	w.mu.Unlock()
	err := w.plans.Turn(ctx, id)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.open--
	}
	return err
}

// run has the loops work until every run that was begun has ended and nothing more is due, or within is over.
func (w *turning) run(within time.Duration, enough func() bool) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), within)
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { _ = w.runs.Run(ctx) })
	loops.Go(func() { _ = w.turns.Run(ctx) })
	for !enough() && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	loops.Wait()
}

func (w *turning) count(action string) int64 {
	w.t.Helper()
	n, err := w.store.CountAuditEvents(w.t.Context(), store.AuditFilter{Action: action})
	w.do(err)
	return n
}

// TestAThousandAccountsDueInOneMinute: each is turned once, and only so many at a time.
func TestAThousandAccountsDueInOneMinute(t *testing.T) {
	const n = 1000
	w := newTurning(t, n, 25*time.Hour)
	began := time.Now()
	w.run(5*time.Minute, func() bool { return w.count("run.done") == n })
	t.Logf("%d accounts in %v; at most %d under way, %d worked on", n, time.Since(began).Round(time.Millisecond), w.mostOpen, w.mostWorking)
	if begun, done := w.count("account.reset"), w.count("run.done"); begun != n || done != n {
		t.Fatalf("%d runs were begun and %d are done", begun, done)
	}
	for _, id := range w.accounts {
		if last, err := w.store.LastVersion(t.Context(), id); err != nil || last != 2 {
			t.Fatalf("an account has %d versions: %v", last, err)
		}
	}
	if w.mostWorking > runSlots || w.mostOpen > 64+2*turnSlots {
		t.Errorf("%d runs were worked on at a time, %d under way", w.mostWorking, w.mostOpen)
	}
	if due, err := w.plans.Due(t.Context(), time.Now().Add(23*time.Hour), n); err != nil || len(due) != 0 {
		t.Errorf("%d accounts are due again within the day: %v", len(due), err)
	}
}
