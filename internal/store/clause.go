package store

import (
	"slices"
	"strconv"
	"strings"
)

// clause collects the conditions of a WHERE and their arguments. Only fixed texts become SQL; everything that was asked
// for is an argument.
type clause struct {
	terms []string
	ways  []way // a row must be in sight by one of them; none means that all rows are
	args  []any
}

// arg adds an argument and returns its placeholder.
func (c *clause) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *clause) and(term string) { c.terms = append(c.terms, term) }

// equal adds column = value, unless value is empty.
func (c *clause) equal(column, value string) {
	if value != "" {
		c.and(column + " = " + c.arg(clean(value)))
	}
}

// oneOf adds column IN (values), unless there are none.
func (c *clause) oneOf(column string, values []string) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = c.arg(clean(v))
	}
	c.and(column + " IN (" + strings.Join(marks, ",") + ")")
}

// marks adds ids, of which there is one at least, and returns the list of their placeholders. It is padded to a power of
// two, so that few statements have to be prepared.
func (c *clause) marks(ids []string) string {
	var marks []string
	for size := 1; len(marks) < len(ids) || len(marks) < size; {
		if len(marks) == size {
			size *= 2
		}
		marks = append(marks, c.arg(ids[min(len(marks), len(ids)-1)]))
	}
	return strings.Join(marks, ",")
}

// pattern adds an argument that LIKE … ESCAPE '\' finds text with, wherever it stands, and returns its placeholder.
func (c *clause) pattern(text string) string {
	return c.arg("%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(clean(text)) + "%")
}

// like is the condition that expr contains the text whose pattern is mark, in any case.
func like(expr, mark string) string {
	return "lower(" + expr + ") LIKE lower(" + mark + ") ESCAPE '\\'"
}

// copy returns a clause that can grow without changing c.
func (c *clause) copy() *clause {
	return &clause{terms: slices.Clone(c.terms), ways: c.ways, args: slices.Clone(c.args)}
}

// String returns the WHERE clause, with a space before it.
func (c *clause) String() string {
	return where(append(slices.Clone(c.terms), c.sight(func(w way) string { return w.column })...))
}

// along is String for a query that follows the index on its order: SQLite cannot use those on the ways then, which would
// have it find every row in sight and sort them all.
func (c *clause) along() string {
	return where(append(slices.Clone(c.terms), c.sight(func(w way) string { return unindexed(w.column) })...))
}

// unindexed is expr, which is a TEXT, in a form that no index is on.
func unindexed(expr string) string { return "COALESCE(" + expr + ", '')" }

// apart returns a WHERE clause for each way, which together choose every row once. Each can be answered by one index.
func (c *clause) apart() []string {
	if len(c.ways) == 0 {
		return []string{where(c.terms)}
	}
	var all, before []string
	for _, w := range c.ways {
		all = append(all, where(slices.Concat(c.terms, []string{w.column + " IN (" + w.ids + ")"}, before)))
		before = append(before, w.column+" NOT IN ("+w.ids+")")
	}
	return all
}

func (c *clause) sight(column func(way) string) []string {
	var ways []string
	for _, w := range c.ways {
		ways = append(ways, column(w)+" IN ("+w.ids+")")
	}
	if len(ways) == 0 {
		return nil
	}
	return []string{"(" + strings.Join(ways, " OR ") + ")"}
}

func where(terms []string) string {
	if len(terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

// clean makes any text one that both databases take as an argument.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
