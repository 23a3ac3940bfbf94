package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/internal/fault"
)

// maxLine is how long a line of an export may be. An event's texts are limited, its details are few.
const maxLine = 1 << 20

// exportLine is any line but the first.
type exportLine struct {
	Seq  *int64          `json:"seq"`
	Leaf tlog.Hash       `json:"leaf"`
	Body json.RawMessage `json:"body"`
	Raw  []byte          `json:"raw"`
	Head string          `json:"head"`
}

// VerifyExport checks what Export wrote, without a server: every text against its leaf hash, and all of them against
// every signed head. Without trust.Key the export's own key is used, and Result.SelfSigned says so. It returns the first
// thing that is wrong in Result.Bad; an anchored head behind the export's end counts as a cut. Its error says that r cannot be read, is no export (fault.Invalid), or that trust
// is unusable. Memory does not grow with the export.
func VerifyExport(r io.Reader, trust Trust) (Result, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	h, err := readHeader(lines)
	if err != nil {
		return Result{}, err
	}
	res := Result{SelfSigned: trust.Key == ""}
	if res.SelfSigned {
		trust.Key = h.Key
	}
	v, anchors, err := trust.open()
	if err != nil {
		return Result{}, err
	}
	head, err := openHead([]byte(h.Head), v)
	if err != nil || head.Size != h.To {
		res.Bad = &Finding{Kind: Signature, From: h.From, To: h.To}
		return res, nil
	}
	res.Head = head
	start, err := h.edge()
	if err != nil {
		return Result{}, err
	}
	o := &offline{lines: lines, key: v, from: h.From, to: h.To, walk: walk{texts: start, held: h.From, anchorHeld: h.From}}
	for _, a := range anchors {
		if a.size <= h.From && h.From > 0 {
			res.Skipped++
			continue
		}
		o.anchors = append(o.anchors, a)
	}
	if res.Bad, err = o.run(mark{size: h.To, signed: []byte(h.Head)}); err != nil {
		return Result{}, err
	}
	res.Entries, res.Checkpoints, res.Withheld = o.walk.texts.size-h.From, o.walk.heads, o.withheld
	return res, nil
}

func readHeader(lines *bufio.Scanner) (header, error) {
	var h header
	if !lines.Scan() && lines.Err() != nil {
		return h, fmt.Errorf("audit: read export: %w", lines.Err())
	}
	if json.Unmarshal(lines.Bytes(), &h) != nil || h.Format != Format || h.From < 0 || h.To <= h.From {
		return h, fault.New(fault.Invalid, "this is not an export of an audit log").
			WithCure("give a file that \"keyturn audit export\" wrote, from its first line on")
	}
	return h, nil
}

// edge returns the tree before the first entry. It needs no trust: a wrong one does not give any signed head.
func (h header) edge() (tree, error) {
	t := tree{size: h.From}
	for level := 0; h.From>>(tileHeight*level) > 0; level++ {
		w := int(h.From >> (tileHeight * level) % TileWidth)
		if level >= len(h.Edge) || len(h.Edge[level]) != w*tlog.HashSize {
			return tree{}, fault.New(fault.Invalid, "the export lacks the hashes before entry %d", h.From)
		}
		hashes, _ := unpack(h.Edge[level], w)
		t.edge = append(t.edge, append(make([]tlog.Hash, 0, TileWidth), hashes...))
	}
	return t, nil
}

type offline struct {
	lines    *bufio.Scanner
	key      note.Verifier
	from, to int64
	anchors  []mark
	walk     walk
	withheld int64
}

func (o *offline) run(last mark) (*Finding, error) {
	for o.lines.Scan() {
		bad, err := o.line(o.lines.Bytes())
		if bad != nil || err != nil {
			return bad, err
		}
	}
	next := o.walk.texts.size
	switch err := o.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return o.sooner(Finding{Kind: Malformed, From: next, To: next + 1}), nil
	case err != nil:
		return nil, fmt.Errorf("audit: read export: %w", err)
	case next < o.to:
		return o.sooner(Finding{Kind: Cut, From: next, To: o.to}), nil
	}
	if bad := o.walk.hold(last, o.key); bad != nil {
		return bad, nil
	}
	if n := len(o.anchors); n > 0 && o.anchors[n-1].size > next {
		// Whether somebody asked for a part only is for the caller to know; the file cannot prove it.
		return &Finding{Kind: Cut, From: next, To: o.anchors[n-1].size}, nil
	}
	return nil, nil
}

// sooner returns the earlier suspicion if there is one: f stops the walk before a head could confirm it.
func (o *offline) sooner(f Finding) *Finding {
	if o.walk.apart {
		f = o.walk.suspect
	}
	return &f
}

// line takes one line: an entry or a signed head.
func (o *offline) line(text []byte) (*Finding, error) {
	next := o.walk.texts.size
	var l exportLine
	if json.Unmarshal(text, &l) != nil || !bytes.Equal(append(text[:len(text):len(text)], '\n'), l.render()) {
		return o.sooner(Finding{Kind: Malformed, From: next, To: next + 1}), nil
	}
	if l.Seq == nil {
		return o.walk.hold(mark{size: next, signed: []byte(l.Head)}, o.key), nil
	}
	switch seq := *l.Seq; {
	case seq < next || seq >= o.to:
		return o.sooner(Finding{Kind: Inserted, From: seq, To: seq + 1}), nil
	case seq > next:
		return o.gap(next, seq)
	}
	hash := l.Leaf
	switch {
	case l.Body != nil:
		hash = tlog.RecordHash(l.Body)
	case l.Raw != nil:
		hash = tlog.RecordHash(l.Raw)
	default:
		o.withheld++
	}
	o.walk.entry(hash, l.Leaf, Edited)
	for _, a := range o.anchors {
		if a.size == next+1 {
			if bad := o.walk.hold(a, o.key); bad != nil {
				return bad, nil
			}
		}
	}
	return nil, nil
}

// gap tells whether the entries that should stand here come later or not at all.
func (o *offline) gap(next, seq int64) (*Finding, error) {
	for o.lines.Scan() {
		var l exportLine
		if json.Unmarshal(o.lines.Bytes(), &l) == nil && l.Seq != nil && *l.Seq == next {
			return o.sooner(Finding{Kind: Reordered, From: next, To: next + 1}), nil
		}
	}
	if err := o.lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("audit: read export: %w", err)
	}
	return o.sooner(Finding{Kind: Deleted, From: next, To: seq}), nil
}

// render writes the line as Export would: a line that says more, or says it twice, is not one of ours.
func (l exportLine) render() []byte {
	switch {
	case l.Seq == nil:
		return appendHead(nil, []byte(l.Head))
	case l.Body != nil:
		return appendEntry(nil, *l.Seq, l.Leaf, l.Body)
	default:
		return appendEntry(nil, *l.Seq, l.Leaf, l.Raw)
	}
}
