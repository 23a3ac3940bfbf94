package main

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// wireFault is what a wire does to each of its connections.
type wireFault int32

const (
	wireWhole  wireFault = iota
	wireCut              // it breaks after something that the client has sent, anywhere: whether that arrived is not heard of
	wireRefuse           // it takes no connection
	wireSilent           // the server's answers are lost and the connection stays open
)

// wire is a TCP connection to a system that can be cut. It does not look at what passes, so that TLS may.
type wire struct {
	listener net.Listener
	to       string
	// holds says which passwords the system takes, a line for each login, asked on another way.
	holds func() (string, error)
	fault atomic.Int32
	bites *atomic.Int64

	mu     sync.Mutex
	toLose int             // of how many changes of a password the reply is still to be lost
	lost   map[string]bool // the changes whose reply was lost, as what holds says after it
	random *rand.Rand
	open   map[net.Conn]bool
}

func newWire(to string, seed uint64, bites *atomic.Int64, holds func() (string, error)) (*wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: l, to: to, holds: holds, bites: bites, random: rand.New(rand.NewPCG(seed, 1)), open: map[net.Conn]bool{}, lost: map[string]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(c)
		}
	}()
	return w, nil
}

func (w *wire) port() int { return w.listener.Addr().(*net.TCPAddr).Port }

// set chooses what happens from now on. Connections that are open and silent end, so that nothing of the last fault is left.
func (w *wire) set(f wireFault) {
	w.fault.Store(int32(f))
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
}

func (w *wire) close() { _ = w.listener.Close(); w.set(wireRefuse) }

func (w *wire) serve(client net.Conn) {
	defer client.Close()
	fault := wireFault(w.fault.Load())
	if fault == wireRefuse {
		w.bites.Add(1)
		return
	}
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer server.Close()
	w.mu.Lock()
	w.open[client] = true
	after, sends, arrives := w.random.IntN(6000), 1+w.random.IntN(12), w.random.IntN(2) == 0
	mute := fault == wireWhole && w.toLose > 0
	w.mu.Unlock()
	defer func() { w.mu.Lock(); delete(w.open, client); w.mu.Unlock() }()
	go func() {
		defer server.Close()
		if fault != wireCut {
			_, _ = io.Copy(server, client)
			return
		}
		w.deaf(client, server, sends, arrives)
	}()
	switch {
	case fault == wireSilent:
		w.bites.Add(1)
		_, _ = io.CopyN(client, server, int64(after))
		_, _ = io.Copy(io.Discard, server)
	case mute:
		w.mute(client, server)
	default:
		_, _ = io.Copy(client, server)
	}
}

// mute passes on what the server answers until that has changed a password: the reply that would say so is lost, and the
// connection breaks.
func (w *wire) mute(client, server net.Conn) {
	before, err := w.holds()
	if err != nil {
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		now, err := w.holds()
		if err != nil || w.loses(before, now) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// loses reports whether a reply is lost that is given between before and now. Connections that were open at the same time
// cannot be told apart: of a change whose reply is lost, all break.
func (w *wire) loses(before, now string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.SplitSeq(now, "\n") {
		if strings.Contains(before, line) {
			continue
		}
		if !w.lost[line] && w.toLose > 0 {
			w.toLose--
			w.bites.Add(1)
			w.lost[line] = true
		}
		if w.lost[line] {
			return true
		}
	}
	return false
}

// lose has the replies of the next n changes of a password be lost.
func (w *wire) lose(n int) { w.mu.Lock(); w.toLose = n; w.mu.Unlock() }

// repliesLost returns of how many changes of a password the reply was lost.
func (w *wire) repliesLost() int { w.mu.Lock(); defer w.mu.Unlock(); return len(w.lost) }

// deaf passes on what the client sends. With the last of sends the server's answers stop to arrive; if that arrives at all, the
// connection breaks once the server had time to do what it was told.
func (w *wire) deaf(client, server net.Conn, sends int, arrives bool) {
	buf := make([]byte, 64<<10)
	for ; ; sends-- {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if sends == 1 {
			w.bites.Add(1)
			_ = client.Close()
			if !arrives {
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if sends == 1 {
			time.Sleep(100 * time.Millisecond)
			return
		}
	}
}
