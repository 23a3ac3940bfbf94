package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// refusedAddress says which resolved address the guard refused.
type refusedAddress struct {
	addr netip.Addr
	why  string
}

func (e *refusedAddress) Error() string {
	return fmt.Sprintf("address %s is refused: %s", e.addr, e.why)
}

// DialDirect opens a connection to a system outside of any cluster. It refuses what a cluster's address may not be either,
// but for this machine's own addresses: databases stand there rightly. A refusal is fault.Invalid; of a name the address
// that it resolves to at that moment counts.
func DialDirect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := Config{AllowLoopback: true}.dialer().DialContext(ctx, network, addr)
	if refused, ok := errors.AsType[*refusedAddress](err); ok {
		return nil, fault.New(fault.Invalid, "the host's %s", refused).WithCode("target-address-refused").WithField("host").
			WithCure("use the system's own address").WithUnchanged("nothing was sent")
	}
	return conn, err
}

// metadataServices answer anyone on the machine with its cloud credentials.
func metadataServices() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("169.254.170.2"),
		netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
		netip.MustParseAddr("192.0.0.192"),
		netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
	}
}

// refuses returns why addr must not be dialled, or "".
func (cfg Config) refuses(addr netip.Addr) string {
	addr = embedded(addr.WithZone(""))
	for _, m := range metadataServices() {
		if addr == m {
			return "it is a cloud metadata service"
		}
	}
	switch {
	case !addr.IsValid() || addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0:
		return "it is the unspecified address"
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "it is a multicast or broadcast address"
	case addr.IsLinkLocalUnicast():
		return "it is a link-local address"
	}
	for _, p := range cfg.AllowCIDRs {
		if p.Contains(addr) {
			return ""
		}
	}
	if addr.IsLoopback() && !cfg.AllowLoopback {
		return "it is this machine's own (loopback) address"
	}
	return ""
}

// embedded returns the IPv4 address that an IPv4-mapped, IPv4-compatible or NAT64 address leads to, else addr itself.
func embedded(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	if addr.Is4In6() {
		return addr.Unmap()
	}
	b := addr.As16()
	compatible := netip.MustParsePrefix("::/96").Contains(addr) && addr != netip.IPv6Loopback() && !addr.IsUnspecified()
	if compatible || netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	if netip.MustParsePrefix("2002::/16").Contains(addr) { // 6to4
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

// parseServer accepts https://host[:port][/prefix] and nothing more.
func parseServer(s string) (*url.URL, error) {
	bad := func(cause, cure string) error {
		return fault.New(fault.Invalid, "%s", cause).WithCode("cluster-url").WithField("server").WithCure("%s", cure)
	}
	const example = "give the address that kubectl config view shows, such as https://10.0.0.1:6443"
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, bad("the cluster's URL is empty", example)
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" { // the parser's error quotes its input, which may hold a password
		return nil, bad("the cluster's URL cannot be read", example)
	}
	switch {
	case u.Scheme == "http":
		return nil, bad("the cluster's URL is plain HTTP", "use https: a token is never sent unencrypted")
	case u.Scheme != "https":
		return nil, bad("the cluster's URL does not start with https://", example)
	case u.User != nil:
		return nil, bad("the cluster's URL holds a user name", "leave it out: the token says who connects")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, bad("the cluster's URL holds a query or a fragment", "leave out everything from ? or # on")
	case u.Hostname() == "":
		return nil, bad("the cluster's URL names no host", example)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, bad("the cluster's URL has an impossible port", "use a port from 1 to 65535")
		}
	}
	if cause := hostRefused(u.Hostname()); cause != "" {
		return nil, bad(cause, "write the host as a name, as four decimal numbers, or as IPv6 in brackets")
	}
	return &url.URL{Scheme: "https", Host: strings.ToLower(u.Host), Path: strings.TrimRight(u.Path, "/")}, nil
}

// hostRefused returns why host is no honest spelling of a host: forms of an IPv4 address that only some resolvers
// understand (127.1, 0x7f.1, 2130706433) exist to get past filters.
func hostRefused(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is4In6() {
			return "the cluster's host is an IPv4 address dressed as IPv6"
		}
		if addr.Zone() != "" {
			return "the cluster's host is an address with a zone"
		}
		return ""
	}
	if len(host) > 254 {
		return "the cluster's host name is too long"
	}
	for _, r := range host {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_') {
			return "the cluster's host holds a character that no host name has"
		}
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(labels[len(labels)-1])
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.HasPrefix(last, "0x") || allDigits(last) {
		return "the cluster's host is an unusual spelling of an IP address"
	}
	return ""
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
