package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// wireFault is what a wire does to each of its connections.
type wireFault int32

const (
	wireWhole  wireFault = iota
	wireCut              // it breaks after something that the client has sent arrived, anywhere: what that did is not heard of
	wireRefuse           // it takes no connection
	wireSilent           // the server's answers are lost and the connection stays open
)

// wire is a TCP connection to a system that can be cut. It does not look at what passes, so that TLS may.
type wire struct {
	listener net.Listener
	to       string
	fault    atomic.Int32
	bites    *atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
	open   map[net.Conn]bool
}

func newWire(to string, seed uint64, bites *atomic.Int64) (*wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: l, to: to, bites: bites, random: rand.New(rand.NewPCG(seed, 1)), open: map[net.Conn]bool{}}
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
	after, sends := w.random.IntN(6000), 1+w.random.IntN(12)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); delete(w.open, client); w.mu.Unlock() }()
	go func() {
		defer server.Close()
		if fault != wireCut {
			_, _ = io.Copy(server, client)
			return
		}
		w.deaf(client, server, sends)
	}()
	switch fault {
	case wireSilent:
		w.bites.Add(1)
		_, _ = io.CopyN(client, server, int64(after))
		_, _ = io.Copy(io.Discard, server)
	default:
		_, _ = io.Copy(client, server)
	}
}

// deaf passes on what the client sends. With the last of sends the server's answers stop to arrive, and once it had time to do
// what it was told, the connection breaks.
func (w *wire) deaf(client, server net.Conn, sends int) {
	buf := make([]byte, 64<<10)
	for ; ; sends-- {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if sends == 1 {
			w.bites.Add(1)
			_ = client.Close()
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
