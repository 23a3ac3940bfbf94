package audit

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
)

// TileWidth is how many hashes a full tile holds; a tile spans eight levels of the tree.
const (
	TileWidth  = 1 << tileHeight
	tileHeight = 8
)

// Tile is a run of up to TileWidth hashes of the tree: those of tree level 8·Level from TileWidth·N on, each of
// tlog.HashSize bytes, in order. Only the last tile of a level holds fewer; it is written again as it grows.
type Tile struct {
	Level int
	N     int64
	Data  []byte
}

// tree is the right edge of a Merkle tree: all that is needed to add leaves and to compute the root. It holds the hashes
// of the last, partial tile of each level, never a full one.
type tree struct {
	size int64
	edge [][]tlog.Hash
}

// add appends a leaf and calls full, unless it is nil, with every tile that this completes.
func (t *tree) add(leaf tlog.Hash, full func(Tile)) {
	t.size++
	h := leaf
	for level := 0; ; level++ {
		if level == len(t.edge) {
			t.edge = append(t.edge, make([]tlog.Hash, 0, TileWidth))
		}
		t.edge[level] = append(t.edge[level], h)
		if len(t.edge[level]) < TileWidth {
			return
		}
		if full != nil {
			full(Tile{Level: level, N: t.size>>(tileHeight*(level+1)) - 1, Data: pack(t.edge[level])})
		}
		h = subtree(t.edge[level])
		t.edge[level] = t.edge[level][:0]
	}
}

// partial returns the last tile of each level that a tree of size old did not have in this form.
func (t *tree) partial(old int64) []Tile {
	var tiles []Tile
	for level, hashes := range t.edge {
		at := t.size >> (tileHeight * level)
		if len(hashes) > 0 && at != old>>(tileHeight*level) {
			tiles = append(tiles, Tile{Level: level, N: at >> tileHeight, Data: pack(hashes)})
		}
	}
	return tiles
}

// root returns the tree's hash, that of RFC 6962.
func (t *tree) root() tlog.Hash {
	var root tlog.Hash
	empty := true
	// From the right: the complete subtrees get larger to the left, and the fold goes from right to left.
	for _, hashes := range t.edge {
		for w := len(hashes); w > 0; {
			k := w & -w
			sub := subtree(hashes[w-k : w])
			if empty {
				root, empty = sub, false
			} else {
				root = tlog.NodeHash(sub, root)
			}
			w -= k
		}
	}
	if empty {
		root, _ = tlog.TreeHash(0, nil) // the empty tree reads nothing
	}
	return root
}

func (t *tree) clone() tree {
	c := tree{size: t.size, edge: make([][]tlog.Hash, len(t.edge))}
	for i, hashes := range t.edge {
		c.edge[i] = append(make([]tlog.Hash, 0, TileWidth), hashes...)
	}
	return c
}

// subtree returns the hash over a power of two of adjacent hashes.
func subtree(hashes []tlog.Hash) tlog.Hash {
	var row [TileWidth]tlog.Hash
	n := copy(row[:], hashes)
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

func pack(hashes []tlog.Hash) []byte {
	out := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// unpack returns the first w hashes of a tile's data, and false when it holds fewer.
func unpack(data []byte, w int) ([]tlog.Hash, bool) {
	if len(data)%tlog.HashSize != 0 || len(data) < w*tlog.HashSize {
		return nil, false
	}
	out := make([]tlog.Hash, w, TileWidth)
	for i := range out {
		copy(out[i][:], data[i*tlog.HashSize:])
	}
	return out, true
}

// loadTree reads the right edge of the tree of the given size. It does not check the hashes; compare its root. Tiles may
// have grown since: only what belongs to that size is used. ok is false when a tile is missing or too short.
func loadTree(ctx context.Context, s Store, size int64) (t tree, ok bool, err error) {
	t.size = size
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		at := size >> (tileHeight * level)
		w := int(at % TileWidth)
		if w == 0 {
			t.edge = append(t.edge, make([]tlog.Hash, 0, TileWidth))
			continue
		}
		data, err := readTile(ctx, s, level, at>>tileHeight)
		if err != nil {
			return tree{}, false, err
		}
		hashes, ok := unpack(data, w)
		if !ok {
			return tree{}, false, nil
		}
		t.edge = append(t.edge, hashes)
	}
	return t, true, nil
}

// readTile is Store.Tile with a missing tile as an empty one.
func readTile(ctx context.Context, s Store, level int, n int64) ([]byte, error) {
	data, err := s.Tile(ctx, level, n)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit: tile %d/%d: %w", level, n, err)
	}
	return data, nil
}

// tileLeaves returns the leaf hashes [from, to) as the tiles have them; those that are missing are zero.
func tileLeaves(ctx context.Context, s Store, from, to int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, to-from)
	for pos := from; pos < to; {
		n := pos / TileWidth
		end := min((n+1)*TileWidth, to)
		data, err := readTile(ctx, s, 0, n)
		if err != nil {
			return nil, err
		}
		for i := pos; i < end; i++ {
			if at := int(i%TileWidth) * tlog.HashSize; at+tlog.HashSize <= len(data) {
				copy(out[i-from][:], data[at:])
			}
		}
		pos = end
	}
	return out, nil
}
