package inventory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// rotationWorker is who writes to Secrets.
var rotationWorker = identity.System("rotation-worker")

// Saw stores Secrets as Keyturn itself has just seen them, such as in the reply to its own write, so that the next sync
// finds nothing changed. Secrets that the repository does not have and Keyturn did not make, has a later state of, or knows to be deleted since are
// left alone. Keys in Written become what their mappings expect. It may be called at any time, also while a fetch runs,
// and doing it again changes nothing. It fails with fault.Stale when a Secret kept changing.
func (f *Fetcher) Saw(ctx context.Context, clusterID string, seen []Seen) error {
	for part := range slices.Chunk(seen, MaxBatch) {
		if err := f.saw(ctx, clusterID, part); err != nil {
			return fmt.Errorf("saw %d secrets: %w", len(part), err)
		}
	}
	return nil
}

func (f *Fetcher) saw(ctx context.Context, clusterID string, seen []Seen) error {
	ev := audit.New(rotationWorker, "secret.import", audit.Object{Kind: "cluster", ID: clusterID}).
		With("secrets", fmt.Sprint(len(seen)))
	for range maxMoves {
		have, err := f.stored(ctx, clusterID, seen)
		if err != nil {
			return err
		}
		seen = slices.DeleteFunc(slices.Clone(seen), func(s Seen) bool {
			stored, known := have[s.place()]
			if !known {
				return !s.Made
			}
			return overtaken(stored, s) || compare(stored, s) == same && len(s.Written) == 0
		})
		for i := range seen {
			seen[i].Source = cmp.Or(seen[i].Source, Written)
		}
		batch, err := f.imports(ctx, rotationWorker, seen, have)
		if err != nil {
			return err
		}
		moved, err := f.Store.SawSecrets(ctx, clusterID, batch, ev)
		if err != nil || len(moved) == 0 {
			return err
		}
		seen = slices.DeleteFunc(seen, func(s Seen) bool { return !slices.Contains(moved, have[s.place()].ID) })
	}
	return fault.New(fault.Stale, "%d Secrets changed while they were stored", len(seen)).WithCure("sync the cluster")
}

// imports decides what to store of each seen Secret and seals the values that are new, on all cores.
func (f *Fetcher) imports(ctx context.Context, by identity.Actor, seen []Seen, have map[Place]Stored) ([]Import, error) {
	var ids []string
	for _, s := range seen {
		if stored, known := have[s.place()]; known {
			ids = append(ids, stored.ID)
		}
	}
	histories, err := f.Store.Histories(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Import, len(seen))
	return out, parallel(len(seen), func(i int) (err error) {
		stored := have[seen[i].place()]
		out[i], err = f.decide(by, seen[i], stored, histories[stored.ID])
		return err
	})
}

func (f *Fetcher) decide(by identity.Actor, s Seen, have Stored, was History) (Import, error) {
	now := time.Now()
	x := Import{Base: have.Rev, Written: s.Written, Secret: Secret{
		ID: have.ID, Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion, Type: s.Type, Immutable: s.Immutable,
		Labels: s.Labels, State: InSync, CreatedAt: s.CreatedAt, SeenAt: now, Current: was.Current,
	}}
	if have.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return x, err
		}
		x.Secret.ID = id.String()
	}
	for _, name := range slices.Sorted(maps.Keys(s.Data)) {
		v := s.Data[name]
		mark := vault.MarkOf(f.Ring, v)
		k := Key{Name: name, Size: int64(v.Len()), Fingerprint: mark.Print, Common: mark.Common, Ours: slices.Contains(s.Ours, name)}
		if place, mapped := was.Places[name]; mapped {
			k.Part = partPrint(f.Ring, place, v)
		}
		x.Secret.Keys = append(x.Secret.Keys, k)
		x.Secret.Size += int64(v.Len())
	}
	if was.sameValues(x.Secret.Keys) {
		return x, nil
	}
	bundle := vault.Bundle(s.Data)
	defer bundle.Wipe()
	if s.By.ID != "" {
		by = s.By
	}
	v := Version{AccountID: x.Secret.ID, Number: was.Last + 1, Stage: Current, Source: cmp.Or(s.Source, Fetched), ActorID: by.ID, ActorName: by.Name, CreatedAt: now}
	var err error
	v.Sealed, err = f.Ring.Seal(VersionRecord(v.AccountID, v.Number), bundle)
	x.Values, x.Secret.Current = &v, v.Number
	return x, err
}

// partPrint returns the fingerprint of the credential that stands at place in a key's value, nil if it cannot be read. Of a
// hash nobody knows the password, so the whole value stands for it.
func partPrint(ring interface {
	Fingerprint(vault.Value) vault.Fingerprint
}, place composite.Spec, value vault.Value) *vault.Fingerprint {
	part, err := composite.Find(place, value)
	if err != nil {
		return nil
	}
	defer part.Password.Wipe()
	fp := ring.Fingerprint(part.Known())
	return &fp
}

// parallel calls do for 0 to n-1 on all cores and returns the first error that it met.
func parallel(n int, do func(i int) error) error { return parallelIn(n, runtime.GOMAXPROCS(0), do) }

// parallelIn is parallel with up to so many calls at a time.
func parallelIn(n, most int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(n, most) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
