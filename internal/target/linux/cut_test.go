package linux_test

import (
	"io"
	"net"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
)

// TestCutLogins breaks logins after so and so many bytes of the server's. None of them is taken for a refusal, which
// would be an answer.
func TestCutLogins(t *testing.T) {
	s := start(t, passwords)
	l := s.create(t, random("kt-app-"), "value-1")
	whole := 0
	for n := 0; whole < 3; n += 150 {
		at := cutAt(t, s, n)
		switch outcome := target.OutcomeOf(own.Verify(t.Context(), at, l)); outcome {
		case "":
			whole++
		case target.Unreachable:
		default:
			t.Errorf("cut after %d bytes: %s", n, outcome)
		}
		wrong := own.Verify(t.Context(), at, login(l.User, "wrong"))
		if outcome := target.OutcomeOf(wrong); outcome != target.Unreachable && outcome != target.Refused {
			t.Errorf("a wrong password, cut after %d bytes: %s", n, outcome)
		}
		if n > 20_000 {
			t.Fatal("no login came to its end")
		}
	}
}

// cutAt is a way to s that breaks each connection after n bytes from the server.
func cutAt(t *testing.T, s *server, n int) target.Connection {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = client.Close() }()
				server, err := net.Dial("tcp", "127.0.0.1:"+s.port)
				if err != nil {
					return
				}
				defer func() { _ = server.Close() }()
				go func() { _, _ = io.Copy(server, client) }()
				_, _ = io.CopyN(client, server, int64(n))
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return s.at("port", port)
}
