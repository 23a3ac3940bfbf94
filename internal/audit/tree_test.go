package audit

import (
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// reference is the tree as tlog itself builds it.
type reference struct{ stored []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = r.stored[at]
	}
	return out, nil
}

func (r *reference) add(t *rapid.T, n int64, leaf tlog.Hash) {
	hashes, err := tlog.StoredHashesForRecordHash(n, leaf, r)
	if err != nil {
		t.Fatal(err)
	}
	r.stored = append(r.stored, hashes...)
}

func TestTreeIsThatOfTlog(t *testing.T) {
	type id struct {
		level int
		n     int64
	}
	rapid.Check(t, func(t *rapid.T) {
		var ref reference
		var tr tree
		tiles := map[id][]byte{}
		for _, batch := range rapid.SliceOfN(rapid.IntRange(1, 700), 1, 12).Draw(t, "batches") {
			old := tr.size
			written := map[id]bool{}
			keep := func(tile Tile) {
				tiles[id{tile.Level, tile.N}] = tile.Data
				written[id{tile.Level, tile.N}] = true
			}
			for range batch {
				leaf := tlog.RecordHash(binary.AppendVarint(nil, tr.size))
				ref.add(t, tr.size, leaf)
				tr.add(leaf, keep)
			}
			for _, tile := range tr.partial(old) {
				keep(tile)
			}
			want, err := tlog.TreeHash(tr.size, &ref)
			if err != nil {
				t.Fatal(err)
			}
			if got := tr.root(); got != want {
				t.Fatalf("root of %d leaves is %v, want %v", tr.size, got, want)
			}
			expected := tlog.NewTiles(tileHeight, old, tr.size)
			if len(expected) != len(written) {
				t.Fatalf("from %d to %d leaves wrote %d tiles, want %d", old, tr.size, len(written), len(expected))
			}
			for _, tile := range expected {
				data, err := tlog.ReadTileData(tile, &ref)
				if err != nil {
					t.Fatal(err)
				}
				if string(tiles[id{tile.L, tile.N}]) != string(data) {
					t.Fatalf("tile %s differs", tile.Path())
				}
			}
		}
	})
}

func TestTreeHasThreeLevels(t *testing.T) {
	var tr tree
	var tiles int
	const n = TileWidth*TileWidth + 1
	for i := range n {
		tr.add(tlog.RecordHash(binary.AppendVarint(nil, int64(i))), func(Tile) { tiles++ })
	}
	if len(tr.edge) != 3 || len(tr.edge[2]) != 1 || tiles != TileWidth+1 {
		t.Errorf("%d leaves: %d levels, %d full tiles", n, len(tr.edge), tiles)
	}
	if got := tr.partial(n - 1); len(got) != 1 {
		t.Errorf("one more leaf wrote %d partial tiles, want only that of the leaves", len(got))
	}
}

func TestEmptyTree(t *testing.T) {
	var tr tree
	want, err := tlog.TreeHash(0, nil)
	if err != nil || tr.root() != want {
		t.Errorf("root of nothing is %v, want %v (%v)", tr.root(), want, err)
	}
}
