package targettest

import (
	"sync"

	"github.com/keyturn/keyturn/internal/target"
)

// reader is a client that logs in again and again with the value that it finds.
type reader struct {
	place  sync.RWMutex // whoever writes a value waits until nobody is on the way with the old one
	found  target.Login
	stop   chan struct{}
	logins int
	client sync.WaitGroup
}

// read starts one that finds l and logs in with login.
func read(l target.Login, login func(target.Login)) *reader {
	r := &reader{found: l, stop: make(chan struct{})}
	r.client.Go(func() {
		for {
			select {
			case <-r.stop:
				return
			default:
			}
			r.place.RLock()
			login(r.found)
			r.place.RUnlock()
			r.logins++
		}
	})
	return r
}

// finds has it find l from now on.
func (r *reader) finds(l target.Login) {
	r.place.Lock()
	defer r.place.Unlock()
	r.found = l
}

// end stops it and returns how often it has logged in.
func (r *reader) end() int {
	close(r.stop)
	r.client.Wait()
	return r.logins
}
