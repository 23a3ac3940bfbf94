package audit

import (
	"cmp"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// walk goes over a log from left to right and holds it against signed heads. It knows two hashes of each entry: that of
// the text that is there, and the leaf that was recorded when it was sequenced. They are the same in a genuine log. Where
// they part, the next signed head tells which one was signed.
type walk struct {
	texts   tree
	leaves  tree // kept only once apart
	apart   bool
	suspect Finding // where they parted and what that looks like

	held         int64 // size of the last head that agreed
	anchorHeld   int64 // size of the last anchored head that agreed
	heads        int64
	fullTiles    []Tile // those above the leaves which the texts complete, for the caller to compare and drop
	wantsUpper   bool
	missingTexts bool
}

// entry takes the next entry. A text hash of zero says that the text is not there.
func (w *walk) entry(text, leaf tlog.Hash, looks Tampering) {
	if text != leaf {
		w.part(looks)
		w.missingTexts = w.missingTexts || text == tlog.Hash{}
	}
	if w.apart {
		w.leaves.add(leaf, nil)
	}
	if w.wantsUpper {
		w.texts.add(text, func(t Tile) {
			if t.Level > 0 {
				w.fullTiles = append(w.fullTiles, t)
			}
		})
		return
	}
	w.texts.add(text, nil)
}

// part notes that the next entry is where texts and leaves differ first.
func (w *walk) part(looks Tampering) {
	if !w.apart {
		w.apart, w.leaves = true, w.texts.clone()
		w.suspect = Finding{Kind: looks, From: w.texts.size, To: w.texts.size + 1}
	}
}

// mark is a signed head to be held against the log when the walk is at its size.
type mark struct {
	size   int64
	signed []byte
	anchor bool
}

func sortMarks(marks []mark) {
	slices.SortStableFunc(marks, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.size, b.size), btoi(a.anchor)-btoi(b.anchor))
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hold compares the log so far with m, and returns what is wrong first.
func (w *walk) hold(m mark, v note.Verifier) *Finding {
	head, err := openHead(m.signed, v)
	if err != nil || head.Size != w.texts.size {
		return &Finding{Kind: Signature, From: w.held, To: w.texts.size}
	}
	textsHold := !w.missingTexts && w.texts.root() == head.Hash
	switch {
	case textsHold && !w.apart:
		w.held = head.Size
		if m.anchor {
			w.anchorHeld = head.Size
		}
		w.heads++
		return nil
	case textsHold:
		return &Finding{Kind: BadTile, From: w.suspect.From, To: w.suspect.To}
	case w.apart && w.leaves.root() == head.Hash:
		found := w.suspect
		return &found
	case m.anchor && !w.apart:
		return &Finding{Kind: Forked, From: w.anchorHeld, To: head.Size}
	default:
		return &Finding{Kind: Forged, From: w.held, To: head.Size}
	}
}
