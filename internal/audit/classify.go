package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// classify says what was done to the entry that a walk has found edited, by looking where its text and its leaf went. It
// may read the rest of the log, a page at a time; that is only ever done once.
func (l *liveVerify) classify(ctx context.Context, f Finding) (*Finding, error) {
	if f.Kind != Edited {
		return &f, nil
	}
	window := min(f.From+2, l.head.Size)
	texts, err := textHashes(ctx, l.store, f.From, window)
	if err != nil {
		return nil, err
	}
	leaves, err := tileLeaves(ctx, l.store, f.From, window)
	if err != nil {
		return nil, err
	}
	textAt, err := l.find(ctx, tileLeaves, texts[0], f.From+1)
	if err != nil {
		return nil, err
	}
	leafAt, err := l.find(ctx, textHashes, leaves[0], f.From+1)
	if err != nil {
		return nil, err
	}
	switch {
	case texts[0] == tlog.Hash{}:
		return l.missing(ctx, f)
	case textAt >= 0 && leafAt >= 0:
		f.Kind = Reordered
	case textAt >= 0:
		f.Kind = Deleted // and the ones behind it were renumbered
	case leafAt == f.From+1:
		f.Kind = Inserted
	}
	return &f, nil
}

// missing tells a deleted entry from a log that was cut there.
func (l *liveVerify) missing(ctx context.Context, f Finding) (*Finding, error) {
	for pos := f.From; pos < l.head.Size; pos += verifyPage {
		texts, err := textHashes(ctx, l.store, pos, min(pos+verifyPage, l.head.Size))
		if err != nil {
			return nil, err
		}
		for _, h := range texts {
			if (h != tlog.Hash{}) {
				f.Kind = Deleted
				return &f, nil
			}
		}
	}
	return &Finding{Kind: Cut, From: f.From, To: l.head.Size}, nil
}

type hashesOf func(ctx context.Context, s Store, from, to int64) ([]tlog.Hash, error)

// find returns the first place from pos on that has the hash, or -1.
func (l *liveVerify) find(ctx context.Context, read hashesOf, want tlog.Hash, pos int64) (int64, error) {
	if (want == tlog.Hash{}) {
		return -1, nil
	}
	end := l.head.Size + 1 // an inserted entry pushes the last one over the end
	for ; pos < end; pos += verifyPage {
		hashes, err := read(ctx, l.store, pos, min(pos+verifyPage, end))
		if err != nil {
			return -1, err
		}
		for i, h := range hashes {
			if h == want {
				return pos + int64(i), nil
			}
		}
	}
	return -1, nil
}
