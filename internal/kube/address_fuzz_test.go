package kube

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

// SR-81: whatever is given as a cluster's URL is refused with a cause and a cure, or is an https URL of one host without
// anything in it that a request must not carry.
func FuzzParseServer(f *testing.F) {
	for _, s := range []string{"https://10.2.0.4:6443", "https://kube.example/k8s/clusters/c-1", "http://a", "https://u:p@a", "https://a?b", "https://a#b", "https://[::1]:6443",
		"https://[fe80::1%25eth0]", "https://a:0", "https://a:99999", "https://0x7f.1", "https:///x", "https://a/../b", "https://a\r\nb", "//a", "", "https://a:b", "https://%61"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseServer(s)
		if err != nil {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Msg == "" || e.Cure == "" {
				t.Errorf("%q is refused with %v", s, err)
			}
			return
		}
		if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(u.String(), "\r\n\x00 ") {
			t.Errorf("%q became %q", s, u)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host {
			t.Errorf("%q is read as another host than it is written: %q, %v", s, again, err)
		}
		if second, err := parseServer(u.String()); err != nil || second.String() != u.String() {
			t.Errorf("%q, then %q: %v", u, second, err)
		}
	})
}
