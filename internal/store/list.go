package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// The limits of one page.
const (
	defaultLimit = 100
	maxLimit     = 500
)

// ListQuery chooses a page of a list. Cursor and Offset exclude each other.
type ListQuery struct {
	Search string // part of a name, whatever its case; % and _ are ordinary characters
	Sort   string // one of the list's words, with - in front for descending; empty means the list's own order
	Limit  int    // 1 to 500; zero means 100
	Cursor string // Next of the page before, of the same list in the same order
	Offset int    // rows to jump over
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty on the last
	Total int64  // what matches, on all pages
	// Counts says how many there are in each state, with every filter applied but that on the state. Never nil.
	Counts map[string]int64
}

// column is what a list can be sorted by.
type column struct {
	expr   string // SQL; never NULL
	number bool   // it is a BIGINT, otherwise a TEXT
	join   string // what expr needs beside the list's table
}

// listing is what differs between lists. In its SQL the list's table is x.
type listing[T any] struct {
	with    string // common tables
	table   string
	state   string // expression that Counts are by; its index should make counting cheap
	hidden  string // the state that is left out unless it is asked for
	sorts   map[string]column
	usual   string // Sort when none is asked for
	columns string // of the answer
	joins   string // what they need beside x
	scan    func(scanner) (T, error)
}

// position is the content of a cursor: the row that the page before ended with.
type position struct {
	Sort string `json:"s"`
	Key  any    `json:"k"`
	ID   string `json:"i"`
}

// page returns one page of the rows that where and, if any are given, states choose.
func (l listing[T]) page(ctx context.Context, on queryer, q ListQuery, states []string, where *clause) (Page[T], error) {
	var p Page[T]
	sort, err := l.check(&q)
	if err != nil {
		return p, err
	}
	by := l.state
	if q.Search != "" { // an index that holds the name answers for all rows; the one on the state would have each of them read
		by = unindexed(by)
	}
	if p.Counts, err = l.countsBy(ctx, on, by, where); err != nil {
		return p, err
	}
	p.Total = l.total(p.Counts, states)
	text, args, err := l.query(q, sort, states, p.Total, where)
	if err != nil {
		return p, err
	}
	type keyed struct {
		item T
		at   position
	}
	rows, err := queryAll(ctx, on, func(r scanner) (k keyed, err error) {
		k.at.Sort = q.Sort
		k.item, err = l.scan(wider{row: r, before: []any{&k.at.Key, &k.at.ID}})
		return k, err
	}, text, args...)
	if err != nil {
		return p, err
	}
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		p.Next = rows[q.Limit-1].at.cursor()
	}
	p.Items = make([]T, len(rows))
	for i, r := range rows {
		p.Items[i] = r.item
	}
	return p, nil
}

// check fails with fault.Invalid if q cannot be answered; otherwise it fills in what q leaves open.
func (l listing[T]) check(q *ListQuery) (column, error) {
	bad := func(field, msg string, args ...any) (column, error) {
		return column{}, fault.New(fault.Invalid, msg, args...).WithField(field)
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Sort == "" {
		q.Sort = l.usual
	}
	sort, ok := l.sorts[strings.TrimPrefix(q.Sort, "-")]
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return bad("limit", "the limit must be between 1 and %d", maxLimit)
	case q.Offset < 0:
		return bad("offset", "the offset must not be negative")
	case q.Offset > 0 && q.Cursor != "":
		return bad("offset", "a cursor and an offset exclude each other")
	case !ok:
		return bad("sort", "the list cannot be sorted by that")
	}
	return sort, nil
}

func (l listing[T]) counts(ctx context.Context, on queryer, where *clause) (map[string]int64, error) {
	return l.countsBy(ctx, on, l.state, where)
}

// countsBy is counts with the state written as by.
func (l listing[T]) countsBy(ctx context.Context, on queryer, by string, where *clause) (map[string]int64, error) {
	type state struct {
		name string
		n    int64
	}
	texts := where.apart()
	for i, w := range texts {
		texts[i] = fmt.Sprintf(`SELECT %s, COUNT(*) FROM %s x%s GROUP BY 1`, by, l.table, w)
	}
	states, err := queryAll(ctx, on, func(r scanner) (c state, err error) { return c, r.Scan(&c.name, &c.n) },
		l.with+strings.Join(texts, " UNION ALL "), where.args...)
	counts := make(map[string]int64, len(states))
	for _, c := range states {
		counts[c.name] += c.n
	}
	return counts, err
}

func (l listing[T]) total(counts map[string]int64, states []string) (sum int64) {
	for state, n := range counts {
		if slices.Contains(states, state) || len(states) == 0 && state != l.hidden {
			sum += n
		}
	}
	return sum
}

// manyRows is from how many rows on following the order beats finding and sorting all.
const manyRows = 1000

// query finds the page's rows by an index first, so that the answer's columns are only worked out for those.
func (l listing[T]) query(q ListQuery, sort column, states []string, total int64, where *clause) (string, []any, error) {
	c := where.copy()
	follow := total >= manyRows
	switch {
	case len(states) > 0 && follow:
		c.oneOf(unindexed(l.state), states)
	case len(states) > 0:
		c.oneOf(l.state, states)
	case l.hidden != "":
		c.and(l.state + " <> '" + l.hidden + "'")
	}
	dir, than := "ASC", ">"
	if strings.HasPrefix(q.Sort, "-") {
		dir, than = "DESC", "<"
	}
	if q.Cursor != "" {
		at, err := parseCursor(q.Cursor, q.Sort, sort.number)
		if err != nil {
			return "", nil, err
		}
		c.and(fmt.Sprintf("(%s, x.id) %s (%s, %s)", sort.expr, than, c.arg(at.Key), c.arg(at.ID)))
	}
	chosen := c.String()
	if follow {
		chosen = c.along()
	}
	most := int64(q.Limit) + 1
	if q.Cursor == "" { // when all that there are were found, looking for more would go on to the end of the table
		most = max(0, min(most, total-int64(q.Offset)))
	}
	inner := fmt.Sprintf(`SELECT %[1]s AS k, x.id AS id FROM %[2]s x %[3]s%[4]s ORDER BY %[1]s %[5]s, x.id %[5]s LIMIT %[6]s OFFSET %[7]s`,
		sort.expr, l.table, sort.join, chosen, dir, c.arg(most), c.arg(q.Offset))
	text := fmt.Sprintf(`%[1]sSELECT p.k, p.id, %[2]s FROM (%[3]s) p JOIN %[4]s x ON x.id = p.id %[5]s ORDER BY p.k %[6]s, p.id %[6]s`,
		l.with, l.columns, inner, l.table, l.joins, dir)
	return text, c.args, nil
}

// wider is a row with more columns than its scanner knows of.
type wider struct {
	row           scanner
	before, after []any
}

// Scan implements scanner for the columns between.
func (w wider) Scan(dest ...any) error {
	return w.row.Scan(slices.Concat(w.before, dest, w.after)...)
}

// ofX names each of the columns as one of the list's table.
func ofX(columns string) string {
	all := strings.Split(columns, ",")
	for i, c := range all {
		all[i] = "x." + strings.TrimSpace(c)
	}
	return strings.Join(all, ", ")
}

func (p position) cursor() string {
	if b, ok := p.Key.([]byte); ok {
		p.Key = string(b)
	}
	b, _ := json.Marshal(p) // a text or a number always encodes
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s, sort string, number bool) (position, error) {
	bad := fault.New(fault.Invalid, "the cursor is not of this list in this order").WithField("cursor").
		WithCure("begin again at the first page")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return position{}, bad
	}
	var p position
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(&p) != nil || p.Sort != sort {
		return position{}, bad
	}
	p.ID = clean(p.ID)
	switch key := p.Key.(type) {
	case json.Number:
		n, err := key.Int64()
		if err != nil || !number {
			return position{}, bad
		}
		p.Key = n
	case string:
		if number {
			return position{}, bad
		}
		p.Key = clean(key)
	default:
		return position{}, bad
	}
	return p, nil
}

// tally is one count of a group within an object.
type tally struct {
	object, state string
	n             int64
}

// tallies runs a query for (object, state, count) of the objects on a page and returns the counts by object. text has %s
// where the list of ids belongs.
func tallies(ctx context.Context, on queryer, c *clause, text string, ids []string) (map[string]map[string]int64, error) {
	by := make(map[string]map[string]int64, len(ids))
	if len(ids) == 0 {
		return by, nil
	}
	marks := c.marks(ids)
	all, err := queryAll(ctx, on, func(r scanner) (t tally, err error) { return t, r.Scan(&t.object, &t.state, &t.n) },
		strings.ReplaceAll(text, "%s", marks), c.args...)
	for _, t := range all {
		if by[t.object] == nil {
			by[t.object] = map[string]int64{}
		}
		by[t.object][t.state] += t.n
	}
	return by, err
}
