package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

func both(b *testing.B, f func(*testing.B, *store.Store)) {
	b.Run("sqlite", func(b *testing.B) { f(b, storetest.Open(b, storetest.SQLite(b))) })
	b.Run("postgres", func(b *testing.B) { f(b, storetest.Open(b, databases.Postgres(b))) })
}

// spread runs f from exactly callers goroutines.
func spread(b *testing.B, callers int, f func(n int64) error) {
	b.Helper()
	var n atomic.Int64
	b.ResetTimer()
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := f(i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			both(b, func(b *testing.B, s *store.Store) {
				scratch(b, s)
				spread(b, callers, func(n int64) error { return s.Write(context.Background(), put(fmt.Sprint(n))) })
			})
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			both(b, func(b *testing.B, s *store.Store) {
				spread(b, callers, func(n int64) error {
					return s.Record(context.Background(), event("account.reveal", fmt.Sprint(n%1000)))
				})
			})
		})
	}
}

func BenchmarkBulk(b *testing.B) {
	const rows = 2000
	both(b, func(b *testing.B, s *store.Store) {
		scratch(b, s)
		data := make([]byte, 200)
		for n := 0; b.Loop(); n++ {
			err := s.Bulk(context.Background(), func(tx *store.Tx) error {
				_, err := tx.Insert(`INSERT INTO scratch (id, rev, data)`, 3, rows, func(args []any, i int) []any {
					return append(args, fmt.Sprintf("%08d-%08d", n, i), 1, data)
				})
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}
