package store_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// used returns the CPU time of this process: unlike the clock it hardly depends on what else the machine does.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkImport stores pages of a fetch: 500 Secrets of 1.5 kB with two keys, 20 in a namespace.
func BenchmarkImport(b *testing.B) {
	both(b, func(b *testing.B, s *store.Store) {
		ctx, now := b.Context(), time.Now()
		c := inventory.Cluster{ID: id(), Name: "c", UID: "u", State: inventory.ClusterConnected, Since: now, CheckedAt: now, CreatedAt: now}
		if err := s.AddCluster(ctx, c, nil, happened("cluster.create")); err != nil {
			b.Fatal(err)
		}
		f := inventory.Fetch{ID: id(), ClusterID: c.ID, Kind: inventory.FetchSync, CreatedAt: now}
		if err := s.OpenFetch(ctx, f, happened("cluster.sync")); err != nil {
			b.Fatal(err)
		}
		f, err := s.ClaimFetch(ctx, f.ID, "bench", time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		sealed := make([]byte, 1600)
		begun := used()
		for page := 0; b.Loop(); page++ {
			batch := make([]inventory.Import, inventory.MaxBatch)
			for i := range batch {
				x := inventory.Secret{ID: id(), Namespace: fmt.Sprintf("team-%06d", page*25+i/20), Name: fmt.Sprintf("app-%02d", i%20), UID: id(), ResourceVersion: "123456",
					Type: "Opaque", State: inventory.InSync, Current: 1, Size: 1500, CreatedAt: now, SeenAt: now,
					Keys: []inventory.Key{{Name: "config", Size: 1476}, {Name: "password", Size: 24}}}
				batch[i] = inventory.Import{Secret: x, Values: &inventory.Version{AccountID: x.ID, Number: 1, Stage: inventory.Current, Source: inventory.Fetched,
					ActorID: "u", ActorName: "anna", CreatedAt: now, Sealed: vault.Sealed(sealed)}}
			}
			if moved, err := s.ImportSecrets(ctx, f, batch, happened("secret.import")); err != nil || len(moved) > 0 {
				b.Fatal(moved, err)
			}
		}
		b.ReportMetric(float64((used()-begun).Microseconds())/float64(b.N*inventory.MaxBatch), "cpu-µs/secret")
	})
}
