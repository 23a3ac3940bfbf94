package kube

import (
	"net/netip"
	"testing"
)

func TestParseServerRefuses(t *testing.T) {
	for _, s := range []string{"", "http://a", "https://127.1", "https://0x7f.1", "https://2130706433", "https://017700000001",
		"https://[::ffff:169.254.169.254]", "https://user@host", "https://a?b", "https://a#b", "https://a:0", "https://[fe80::1%25eth0]"} {
		if u, err := parseServer(s); err == nil {
			t.Errorf("%q was accepted as %v", s, u)
		}
	}
	for _, s := range []string{"https://10.0.0.1:6443", "https://k8s.example.com/k8s/clusters/c-1/", "https://[2001:db8::1]:6443"} {
		if _, err := parseServer(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	for addr, refused := range map[string]bool{"127.0.0.1": true, "::1": true, "169.254.169.254": true, "::ffff:127.0.0.1": true,
		"fe80::1": true, "224.0.0.1": true, "ff02::1": true, "0.0.0.0": true, "::": true, "64:ff9b::7f00:1": true,
		"fd00:ec2::254": true, "100.100.100.200": true, "10.0.0.1": false, "2001:db8::1": false} {
		if why := (Config{}).refuses(netip.MustParseAddr(addr)); (why != "") != refused {
			t.Errorf("%s: %q, want refused %v", addr, why, refused)
		}
	}
	open := Config{AllowLoopback: true, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	if open.refuses(netip.MustParseAddr("169.254.169.254")) == "" || open.refuses(netip.MustParseAddr("127.0.0.1")) != "" {
		t.Error("an allowed range opens the metadata service, or loopback stays closed")
	}
	narrow := Config{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/30"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10")}}
	for addr, refused := range map[string]bool{"127.0.0.1": false, "::ffff:127.0.0.1": false, "127.0.0.4": true, "::1": true, "169.254.7.7": true, "fe80::7": true, "10.0.0.1": false} {
		if why := narrow.refuses(netip.MustParseAddr(addr)); (why != "") != refused {
			t.Errorf("with ranges, %s: %q, want refused %v", addr, why, refused)
		}
	}
}
