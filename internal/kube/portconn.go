package kube

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"github.com/keyturn/keyturn/internal/fault"
)

const (
	// reasonWait is how long the end of the data waits for the reason of it, which travels in the other stream.
	reasonWait = 2 * time.Second
	// lastWords is how long a connection that is closed goes on sending what was written before.
	lastWords = time.Second
)

// portConn is a net.Conn over the streams of one forwarded port. The streams have no deadlines, so that two pipes, which
// have, stand between them and the user; the one that is written to is pumped into the stream by a goroutine, the other
// one out of it.
type portConn struct {
	session        httpstream.Connection
	data, failures httpstream.Stream
	to             Inside

	in, out net.Conn      // the user's ends
	sent    chan struct{} // closed when all that was written has been sent
	once    sync.Once

	mu     sync.Mutex
	failed error // why the data ended, when it did not end well
}

func newPortConn(session httpstream.Connection, data, failures httpstream.Stream, to Inside) *portConn {
	in, fromPod := net.Pipe()
	out, toPod := net.Pipe()
	p := &portConn{session: session, data: data, failures: failures, to: to, in: in, out: out, sent: make(chan struct{})}
	go p.receive(fromPod)
	go p.send(toPod)
	return p
}

// receive brings what the pod sends, and after it the reason why it ended, if there is one.
func (p *portConn) receive(user net.Conn) {
	reason := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(p.failures, 4<<10)) // what has come is enough
		reason <- text
	}()
	_, err := io.Copy(user, p.data)
	wait := time.NewTimer(reasonWait)
	defer wait.Stop()
	select {
	case text := <-reason:
		if len(text) > 0 {
			err = p.refused()
		}
	case <-wait.C:
	}
	if err != nil {
		p.mu.Lock()
		p.failed = err
		p.mu.Unlock()
	}
	_ = user.Close()
}

// refused stands for what the node says. Its own text is not passed on: it names addresses inside the cluster.
func (p *portConn) refused() error {
	return fault.New(fault.Unavailable, "%s: the pod's node could not connect to the port", p.to.what()).WithCode(codePortRefused).
		WithCure("look whether the pod listens on this port, then try again")
}

// send takes what the user writes to the pod.
func (p *portConn) send(user net.Conn) {
	defer close(p.sent)
	_, _ = io.Copy(p.data, user) // its end shows in what is read
	_ = p.data.Close()
	_ = user.Close()
}

// Read implements net.Conn.
func (p *portConn) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if errors.Is(err, io.EOF) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.failed != nil {
			err = p.failed
		}
	}
	return n, err
}

// Write implements net.Conn.
func (p *portConn) Write(b []byte) (int, error) { return p.out.Write(b) }

// CloseWrite tells the pod that nothing more is written; reading goes on.
func (p *portConn) CloseWrite() error { return p.out.Close() }

// Close sends what was written, for a second at most, and ends both directions.
func (p *portConn) Close() error {
	p.once.Do(func() {
		_ = p.out.Close()
		_ = p.in.Close()
		wait := time.NewTimer(lastWords)
		defer wait.Stop()
		select {
		case <-p.sent:
		case <-wait.C:
		}
		_ = p.session.Close()
	})
	return nil
}

// SetDeadline implements net.Conn.
func (p *portConn) SetDeadline(t time.Time) error {
	return errors.Join(p.in.SetDeadline(t), p.out.SetDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (p *portConn) SetReadDeadline(t time.Time) error { return p.in.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (p *portConn) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }

// LocalAddr implements net.Conn.
func (*portConn) LocalAddr() net.Addr { return insideAddr("this end") }

// RemoteAddr implements net.Conn.
func (p *portConn) RemoteAddr() net.Addr {
	return insideAddr(p.to.Namespace + "/" + p.to.Service + p.to.Pod)
}

// insideAddr is an address for people: none inside a cluster means anything here.
type insideAddr string

// Network implements net.Addr.
func (insideAddr) Network() string { return "kubernetes" }

// String implements net.Addr.
func (a insideAddr) String() string { return string(a) }

// upgraded is what is left of an HTTP connection after its upgrade, as the streams ask for it. They use only its reading,
// writing and closing.
type upgraded struct{ io.ReadWriteCloser }

// LocalAddr implements net.Conn.
func (upgraded) LocalAddr() net.Addr { return insideAddr("this end") }

// RemoteAddr implements net.Conn.
func (upgraded) RemoteAddr() net.Addr { return insideAddr("API server") }

// SetDeadline implements net.Conn.
func (upgraded) SetDeadline(time.Time) error { return errNoDeadline }

// SetReadDeadline implements net.Conn.
func (upgraded) SetReadDeadline(time.Time) error { return errNoDeadline }

// SetWriteDeadline implements net.Conn.
func (upgraded) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = errors.New("an upgraded connection has no deadlines")
