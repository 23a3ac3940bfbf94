package api

import (
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// pageOf turns a page of rows into one of the wire.
func pageOf[R, T any](p store.Page[R], can client.Can, convert func(R) T) *list[client.Page[T]] {
	items := make([]T, len(p.Items))
	for i, row := range p.Items {
		items[i] = convert(row)
	}
	return &list[client.Page[T]]{Body: client.Page[T]{
		Items: items, Next: p.Next, Total: p.Total, Counts: p.Counts, AsOf: time.Now().UTC(), Can: can,
	}}
}

// items is the body of lists that have no pages.
type items[T any] struct {
	Items []T `json:"items"`
}

func itemsOf[R, T any](rows []R, convert func(R) T) *list[items[T]] {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = convert(row)
	}
	return &list[items[T]]{Body: items[T]{all}}
}

// only returns the one row that a list was limited to by its id, or says that there is none, or none to know of.
func only[R any](p store.Page[R], err error) (R, error) {
	if err != nil || len(p.Items) > 0 {
		return first(p.Items), err
	}
	return first(p.Items), unknown()
}

func first[R any](rows []R) (r R) {
	if len(rows) > 0 {
		r = rows[0]
	}
	return r
}

// unknown is the answer for what is not there. It reads as that for what the actor may not know of, so that neither tells
// which of the two it is.
func unknown() error { return policy.Decision{Hidden: true}.Err(identity.Actor{}) }

func listQuery(o client.ListOptions) store.ListQuery {
	return store.ListQuery{Search: o.Search, Sort: sortWord(o.Sort), Limit: o.Limit, Cursor: o.Cursor, Offset: o.Offset}
}

// sortWord turns the JSON name of a column into the repository's word for the order by it.
func sortWord(sort string) string {
	name, descending := strings.CutPrefix(sort, "-")
	switch name {
	case "namespace":
		name = "path"
	case "accountName":
		name = "account"
	default:
		name = strings.TrimSuffix(name, "At")
	}
	if descending {
		return "-" + name
	}
	return name
}

// Query is embedded in inputs whose parameters may be given more than once: the decoder itself takes the first one only.
type Query struct{ all url.Values }

// Resolve implements huma.Resolver.
func (q *Query) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	q.all = u.Query()
	return nil
}

// words returns every value of a parameter, given singly or with commas between.
func (q *Query) words(name string) []string {
	var out []string
	for _, value := range q.all[name] {
		for word := range strings.SplitSeq(value, ",") {
			if word != "" {
				out = append(out, word)
			}
		}
	}
	return out
}
