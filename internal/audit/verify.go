package audit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
)

// verifyPage is how many entries are checked at a time: their hashes are what a verification holds in memory.
const verifyPage = 16 * TileWidth

// Trust is what a verifier knows from elsewhere than the log.
type Trust struct {
	// Key is the public key, as Signer.Key wrote it.
	Key string
	// Anchored are signed heads that were kept outside of the database. With the newest, a log that was cut is found.
	Anchored [][]byte
}

// open returns the key and the anchored heads, which must be signed by it.
func (t Trust) open() (note.Verifier, []mark, error) {
	v, err := parseKey(t.Key)
	if err != nil {
		return nil, nil, err
	}
	var marks []mark
	for _, signed := range t.Anchored {
		head, err := openHead(signed, v)
		if err != nil {
			return nil, nil, fmt.Errorf("anchored head: %w", err)
		}
		marks = append(marks, mark{size: head.Size, signed: signed, anchor: true})
	}
	sortMarks(marks)
	return v, marks, nil
}

// Verify checks the whole log: each entry's text against the tiles, the tiles against the texts, and both against every
// signed head. It returns the first thing that is wrong in Result.Bad; its error says only that it could not check, or
// that trust is unusable. Events may be sequenced meanwhile; the log is checked as it was when Verify began. Memory does
// not grow with the log.
func Verify(ctx context.Context, s Store, trust Trust) (Result, error) {
	v, anchors, err := trust.open()
	if err != nil {
		return Result{}, err
	}
	newest, err := s.Head(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("audit: head: %w", err)
	}
	lv := &liveVerify{store: s, key: v, anchors: anchors, walk: walk{wantsUpper: true}}
	unsigned, err := lv.start(ctx, newest)
	if err != nil {
		return Result{}, err
	}
	bad, err := lv.run(ctx)
	if err != nil {
		return Result{}, err
	}
	if bad == nil || unsigned != nil && bad.From >= unsigned.From {
		bad = cmp.Or(unsigned, bad)
	}
	return Result{Head: lv.head, Entries: lv.walk.texts.size, Checkpoints: lv.walk.heads, Bad: bad}, nil
}

type liveVerify struct {
	store   Store
	key     note.Verifier
	anchors []mark
	head    Head
	walk    walk
	upper   *Finding // a wrong tile above the leaves: reported when nothing worse is found
}

// start finds the head to verify up to: the newest, or the last signed one when that has no valid signature, which is a
// finding then. An unsigned size is not followed: it may be anything.
func (l *liveVerify) start(ctx context.Context, newest Head) (*Finding, error) {
	if newest.Size == 0 && len(newest.Signed) == 0 {
		return nil, nil
	}
	head, err := openHead(newest.Signed, l.key)
	if err == nil && head.Size == newest.Size {
		l.head = head
		return nil, nil
	}
	err = l.store.Checkpoints(ctx, 0, math.MaxInt64, func(h Head) error {
		if signed, err := openHead(slices.Clone(h.Signed), l.key); err == nil && signed.Size == h.Size {
			l.head = signed
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: checkpoints: %w", err)
	}
	return &Finding{Kind: Signature, From: l.head.Size, To: max(newest.Size, l.head.Size+1)}, nil
}

func (l *liveVerify) run(ctx context.Context) (*Finding, error) {
	for pos := int64(0); pos < l.head.Size; pos += verifyPage {
		bad, err := l.page(ctx, pos, min(pos+verifyPage, l.head.Size))
		if bad != nil || err != nil {
			return bad, err
		}
	}
	if bad, err := l.tail(ctx); bad != nil || err != nil {
		return bad, err
	}
	for _, t := range l.walk.texts.partial(0) {
		if err := l.compare(ctx, t); err != nil {
			return nil, err
		}
	}
	return l.upper, nil
}

// page checks the entries [from, to).
func (l *liveVerify) page(ctx context.Context, from, to int64) (*Finding, error) {
	texts, err := textHashes(ctx, l.store, from, to)
	if err != nil {
		return nil, err
	}
	leaves, err := tileLeaves(ctx, l.store, from, to)
	if err != nil {
		return nil, err
	}
	marks, err := l.marks(ctx, from, to)
	if err != nil {
		return nil, err
	}
	pos := from
	for _, m := range marks {
		for ; pos < m.size; pos++ {
			l.walk.entry(texts[pos-from], leaves[pos-from], Edited)
		}
		if bad := l.walk.hold(m, l.key); bad != nil {
			return l.classify(ctx, *bad)
		}
	}
	for ; pos < to; pos++ {
		l.walk.entry(texts[pos-from], leaves[pos-from], Edited)
	}
	for _, t := range l.walk.fullTiles {
		if err := l.compare(ctx, t); err != nil {
			return nil, err
		}
	}
	l.walk.fullTiles = l.walk.fullTiles[:0]
	return nil, nil
}

// marks returns the heads of from < size ≤ to, the newest one always among them.
func (l *liveVerify) marks(ctx context.Context, from, to int64) ([]mark, error) {
	var marks []mark
	err := l.store.Checkpoints(ctx, from, to, func(h Head) error {
		marks = append(marks, mark{size: h.Size, signed: slices.Clone(h.Signed)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: checkpoints: %w", err)
	}
	if to == l.head.Size {
		marks = append(marks, mark{size: to, signed: l.head.Signed})
	}
	for _, a := range l.anchors {
		if from < a.size && a.size <= to {
			marks = append(marks, a)
		}
	}
	sortMarks(marks)
	for _, m := range marks {
		if m.size <= from || m.size > to {
			return nil, fmt.Errorf("audit: the store returned the head of %d entries for %d to %d", m.size, from, to)
		}
	}
	return marks, nil
}

// tail looks behind the end: for entries that no head covers, and for what shows that the log was longer.
func (l *liveVerify) tail(ctx context.Context) (*Finding, error) {
	end := l.head.Size
	if n := len(l.anchors); n > 0 && l.anchors[n-1].size > end {
		return &Finding{Kind: Cut, From: end, To: l.anchors[n-1].size}, nil
	}
	var last int64 // where the entries end
	err := l.store.Entries(ctx, end, math.MaxInt64, func(seq int64, _ []byte) error {
		last = max(last, seq+1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: entries: %w", err)
	}
	was := int64(0) // how long the log was at least
	err = l.store.Checkpoints(ctx, end, math.MaxInt64, func(h Head) error {
		was = max(was, h.Size)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: checkpoints: %w", err)
	}
	tile, err := readTile(ctx, l.store, 0, end/TileWidth)
	if err != nil {
		return nil, err
	}
	if len(tile) > 0 {
		was = max(was, end/TileWidth*TileWidth+int64(len(tile)/tlog.HashSize))
	}
	// The head is read last, so it covers whatever was appended meanwhile.
	now, err := l.store.Head(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("audit: head: %w", err)
	case was > now.Size:
		return &Finding{Kind: Cut, From: now.Size, To: was}, nil
	case last > now.Size:
		return &Finding{Kind: Inserted, From: max(now.Size, end), To: last}, nil
	}
	return nil, nil
}

// compare holds a stored tile above the leaves against the one that the entries give.
func (l *liveVerify) compare(ctx context.Context, want Tile) error {
	if want.Level == 0 || l.upper != nil {
		return nil
	}
	data, err := readTile(ctx, l.store, want.Level, want.N)
	if err != nil {
		return err
	}
	if len(data) < len(want.Data) || string(data[:len(want.Data)]) != string(want.Data) {
		span := int64(1) << (tileHeight * want.Level)
		from := want.N * TileWidth * span
		l.upper = &Finding{Kind: BadTile, From: from, To: from + int64(len(want.Data)/tlog.HashSize)*span}
	}
	return nil
}

// textHashes returns the leaf hashes of the texts that are stored as [from, to); those that are missing are zero.
func textHashes(ctx context.Context, s Store, from, to int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, to-from)
	next := from
	err := s.Entries(ctx, from, to, func(seq int64, body []byte) error {
		if seq < next || seq >= to {
			return fault.New(fault.Conflict, "the store returned entry %d twice, out of order or unasked", seq)
		}
		next = seq + 1
		out[seq-from] = tlog.RecordHash(body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: entries: %w", err)
	}
	return out, nil
}
