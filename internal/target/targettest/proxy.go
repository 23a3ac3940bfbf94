package targettest

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
)

// Cut says where a Proxy breaks a connection, or lets it hang.
type Cut int32

// The places.
const (
	CutNever  Cut = iota
	CutBefore     // the statement does not reach the server
	CutAfter      // the server carried the statement out; its reply does not reach the client
	Stall         // the same, but the connection stays open and silent
)

// Proxy is a TCP proxy on loopback that breaks connections at a statement that it recognises on an unencrypted wire.
type Proxy struct {
	Addr    string
	trigger []byte
	cut     atomic.Int32
	cuts    atomic.Int32
	first   atomic.Pointer[func()]
}

// StartProxy listens until the test ends. trigger is what the statement looks like on the wire.
func StartProxy(t testing.TB, server string, trigger []byte) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{Addr: l.Addr().String(), trigger: trigger}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, server)
		}
	}()
	return p
}

// Address implements Breaker.
func (p *Proxy) Address() string { return p.Addr }

// Set chooses where connections break from now on.
func (p *Proxy) Set(c Cut) { p.cut.Store(int32(c)); p.cuts.Store(0) }

// Cuts returns how often a connection was broken since Set.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

// Do has f called before each statement that is passed on from now on.
func (p *Proxy) Do(f func()) { p.first.Store(&f) }

func (p *Proxy) serve(client net.Conn, addr string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var sent atomic.Bool // the statement went to the server: its next bytes are the reply
	go func() {
		defer func() { _ = client.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if sent.Load() && n > 0 {
				p.cuts.Add(1)
				if Cut(p.cut.Load()) == Stall {
					continue
				}
				return
			}
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if bytes.Contains(buf[:n], p.trigger) {
			if f := p.first.Load(); f != nil {
				(*f)()
			}
			switch Cut(p.cut.Load()) {
			case CutBefore:
				p.cuts.Add(1)
				return
			case CutAfter, Stall:
				sent.Store(true)
			case CutNever:
			}
		}
		if n > 0 {
			if _, werr := server.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
