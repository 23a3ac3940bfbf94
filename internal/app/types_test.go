package app

import (
	"maps"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/postgresql"
	"github.com/keyturn/keyturn/internal/target/redis"
)

func TestWhetherATypeTakesTwoValuesIsToldOnTheWire(t *testing.T) {
	registry, err := target.NewRegistry(postgresql.New(postgresql.Config{}), redis.New(redis.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	overlap := map[string]bool{}
	for _, x := range wireTypes(registry) {
		overlap[x.Type] = x.Overlap
	}
	if want := map[string]bool{"postgresql": false, "redis": true}; !maps.Equal(overlap, want) {
		t.Errorf("overlap: %v, should be %v", overlap, want)
	}
}
