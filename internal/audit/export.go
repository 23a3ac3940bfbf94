package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
)

// Format is the first word of every export.
const Format = "keyturn-audit/1"

// exportPage is how many entries an export holds in memory at a time.
const exportPage = 2 * TileWidth

// Selection is what to export.
type Selection struct {
	Key      string // the public key, written into the export
	From, To int64  // the entries From ≤ seq < To; a To of 0 means all there are
	// Keep, unless it is nil, chooses the entries whose text is shown. Of the others only the hash is written, so that
	// the rest can still be proven. It must not keep body.
	Keep func(seq int64, body []byte) bool
}

// header is the first line of an export: what it holds, and the signed head that it ends with. Edge has the tree to the
// left of From, as the packed hashes of the last tile of each level; From of 0 needs none.
type header struct {
	Format string   `json:"format"`
	Key    string   `json:"key"`
	From   int64    `json:"from"`
	To     int64    `json:"to"`
	Head   string   `json:"head"`
	Edge   [][]byte `json:"edge,omitempty"`
}

// Export writes a part of the log to w, as lines of JSON that [VerifyExport] proves without a server: a header, the
// entries with their texts and leaf hashes, and each signed head after the entry it covers last. It ends at the first
// signed head that covers To, so it may hold a few entries more than were asked for; fault.NotFound when From is behind
// the end of the log. It writes what is stored without judging it: of a log that was tampered with it writes the evidence.
func Export(ctx context.Context, w io.Writer, s Store, sel Selection) error {
	end, err := coveringHead(ctx, s, sel)
	if err != nil {
		return err
	}
	h := header{Format: Format, Key: sel.Key, From: sel.From, To: end.Size, Head: string(end.Signed)}
	if sel.From > 0 {
		t, ok, err := loadTree(ctx, s, sel.From)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "the hashes before entry %d are not all there", sel.From).
				WithCure("export from entry 0, or run \"keyturn audit verify\"")
		}
		for _, hashes := range t.edge {
			h.Edge = append(h.Edge, pack(hashes))
		}
	}
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("audit: export header: %w", err)
	}
	out := bufio.NewWriter(w)
	_, _ = out.Write(append(line, '\n')) // a failed write is remembered until Flush
	for pos := sel.From; pos < end.Size; pos += exportPage {
		if err := exportEntries(ctx, out, s, sel, pos, min(pos+exportPage, end.Size)); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("audit: write export: %w", err)
		}
	}
	return out.Flush()
}

// coveringHead returns the first signed head that covers the selection.
func coveringHead(ctx context.Context, s Store, sel Selection) (Head, error) {
	if sel.From < 0 || sel.To < 0 || sel.To > 0 && sel.To <= sel.From {
		return Head{}, fault.New(fault.Invalid, "entries %d to %d are no range", sel.From, sel.To)
	}
	end, err := s.Head(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("audit: head: %w", err)
	}
	if end.Size <= sel.From {
		return Head{}, fault.New(fault.NotFound, "the audit log ends before entry %d", sel.From)
	}
	if sel.To == 0 || sel.To >= end.Size {
		return end, nil
	}
	found := errors.New("found")
	err = s.Checkpoints(ctx, sel.To-1, math.MaxInt64, func(h Head) error {
		end = h
		end.Signed = slices.Clone(h.Signed)
		return found
	})
	if err != nil && !errors.Is(err, found) {
		return Head{}, fmt.Errorf("audit: checkpoints: %w", err)
	}
	return end, nil
}

// exportEntries writes [from, to), all of it read before any of it is written: a slow reader must not hold a query open.
func exportEntries(ctx context.Context, w *bufio.Writer, s Store, sel Selection, from, to int64) error {
	leaves, err := tileLeaves(ctx, s, from, to)
	if err != nil {
		return err
	}
	heads := map[int64][]byte{}
	err = s.Checkpoints(ctx, from, to, func(h Head) error {
		heads[h.Size] = slices.Clone(h.Signed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("audit: checkpoints: %w", err)
	}
	var page []byte
	err = s.Entries(ctx, from, to, func(seq int64, body []byte) error {
		leaf := leaves[seq-from]
		if sel.Keep != nil && !sel.Keep(seq, body) {
			body = nil
		}
		page = appendEntry(page, seq, leaf, body)
		if signed, ok := heads[seq+1]; ok {
			page = appendHead(page, signed)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("audit: entries: %w", err)
	}
	_, err = w.Write(page)
	return err
}

// appendEntry writes an entry's line. The text is written as the JSON that it is, byte for byte; one that is not in
// canonical form, which only tampering makes, as base64.
func appendEntry(line []byte, seq int64, leaf tlog.Hash, body []byte) []byte {
	line = append(line, `{"seq":`...)
	line = strconv.AppendInt(line, seq, 10)
	line = append(line, `,"leaf":"`...)
	line = base64.StdEncoding.AppendEncode(line, leaf[:])
	line = append(line, '"')
	if body != nil {
		if oneObject(body) {
			line = append(append(line, `,"body":`...), body...)
		} else {
			line = append(line, `,"raw":"`...)
			line = base64.StdEncoding.AppendEncode(line, body)
			line = append(line, '"')
		}
	}
	return append(line, "}\n"...)
}

// oneObject reports whether body may stand in a line as it is.
func oneObject(body []byte) bool {
	return len(body) > 1 && body[0] == '{' && body[len(body)-1] == '}' && bytes.IndexByte(body, '\n') < 0 && json.Valid(body)
}

func appendHead(line, signed []byte) []byte {
	text, _ := json.Marshal(string(signed)) // a string always marshals
	line = append(append(line, `{"head":`...), text...)
	return append(line, "}\n"...)
}
