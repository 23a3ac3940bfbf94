package target

import (
	"context"
	"net"
)

// DialFunc opens a network connection to addr, a host and port. It is where the address policy is kept.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialer is a Target that reaches its system over connections that somebody else can open for it.
type Dialer interface {
	Target
	// Over returns the same type, which opens its connections with dial. Certificates are verified as ever: dial is told the
	// host and port of the settings, and leads to wherever it does.
	Over(dial DialFunc) Target
}
