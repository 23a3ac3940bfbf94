package kube

import (
	"hash/maphash"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

const (
	// listTimeout bounds one list of all its pages, storing what came of them included.
	listTimeout = 30 * time.Minute
	// mostPages bounds the pages of one list: five million Secrets in full pages.
	mostPages = 10_000
)

// noAPIServer is the cure for an answer that no API server gives.
const noAPIServer = "look at what stands at that address: no API server answers like this"

// noAnswer is for an answer that is well-formed and is not the object or list that was asked for: client-go takes any
// Status that tells of success for an empty one.
func noAnswer(what string) error {
	return fault.New(fault.Unavailable, "%s: the server's answer is not what was asked for", what).
		WithCode("cluster-answer-unreadable").WithCure(noAPIServer)
}

// pages watches over the continue tokens of one list: a server that repeats one, or has always one more, would keep us
// busy for ever.
type pages struct {
	what string
	seed maphash.Seed
	seen map[uint64]bool
}

func newPages(what string) *pages {
	return &pages{what, maphash.MakeSeed(), map[uint64]bool{}}
}

// next fails with fault.Unavailable unless token, with which the list goes on, is new.
func (p *pages) next(token string) error {
	h := maphash.String(p.seed, token)
	if token != "" && (p.seen[h] || len(p.seen) >= mostPages) {
		return fault.New(fault.Unavailable, "%s: the API server's list does not end", p.what).WithCode("cluster-list-endless").
			WithCure(noAPIServer)
	}
	p.seen[h] = true
	return nil
}
