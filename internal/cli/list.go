package cli

import (
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

// pageSize is how many rows a command asks for at a time.
const pageSize = 500

// listing are the flags of the commands that list.
type listing struct {
	search, sort string
	limit        int
	states       []string
}

func (l *listing) flags(c *cobra.Command, states bool) {
	f := c.Flags()
	f.StringVar(&l.search, "search", "", "only what has this in its name")
	f.StringVar(&l.sort, "sort", "", "column to sort by, with - in front for descending")
	f.IntVar(&l.limit, "limit", 0, "show at most so many (default all)")
	if states {
		f.StringSliceVar(&l.states, "state", nil, `only these states, such as "in sync" or in_sync`)
	}
}

func (l *listing) options() client.ListOptions {
	size := pageSize
	if l.limit > 0 {
		size = min(size, l.limit)
	}
	return client.ListOptions{Search: l.search, Sort: l.sort, Limit: size}
}

// stateWords returns the states as the API writes them.
func (l *listing) stateWords() []string { return apiWords(l.states) }

func apiWords(words []string) []string {
	var out []string
	for _, s := range words {
		out = append(out, apiWord(s))
	}
	return out
}

// collect gathers a list over its pages, at most limit rows if that is not 0, and returns how many there are in all.
func collect[T any](limit int, page func(cursor string) (client.Page[T], error)) ([]T, int64, error) {
	var rows []T
	var total int64
	counting := func(cursor string) (client.Page[T], error) {
		p, err := page(cursor)
		total = p.Total
		return p, err
	}
	for row, err := range client.All(counting) {
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, row)
		if limit > 0 && len(rows) >= limit {
			break
		}
	}
	return rows, total, nil
}
