package console

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func withPages(t *testing.T) http.Handler {
	t.Helper()
	return handler(fstest.MapFS{
		"index.html": {Data: []byte(`<head></head><body></body>`)},
		".pages.json": {Data: []byte(`{
			"/secrets": {"files": ["assets/list-1.css", "assets/list-2.js"], "reads": "/api/v1/secrets?offset=0&limit=200"},
			"/runs/$run": {"files": ["assets/run-3.js"], "reads": "/api/v1/runs/$run"},
			"/clusters/new": {"files": ["assets/connect-4.js"]},
			"/clusters/$cluster": {"files": ["assets/cluster-5.js"]},
			"/resources/$resource/accounts/$account": {"files": ["assets/account-6.js"], "reads": "/api/v1/accounts/$account"}
		}`)},
	}, func(*http.Request) string { return "n" })
}

const (
	wholePreload = `<link rel="preload" as="fetch" crossorigin href="`
	session      = wholePreload + "/api/v1/session\">\n"
)

func TestAPageNamesWhatItWillNeed(t *testing.T) {
	h := withPages(t)
	module := func(name string) string {
		return `<link rel="modulepreload" crossorigin href="/assets/` + name + "\">\n"
	}
	list := `<link rel="stylesheet" crossorigin href="/assets/list-1.css">` + "\n" + module("list-2.js")
	for target, want := range map[string]string{
		"/secrets":                list + session + wholePreload + "/api/v1/secrets?offset=0&amp;limit=200\">\n",
		"/secrets?state=ok":       list + session, // it reads something else
		"/runs/7f3a91":            module("run-3.js") + session + wholePreload + "/api/v1/runs/7f3a91\">\n",
		"/runs/a%2Fb%22%3E":       module("run-3.js") + session + wholePreload + "/api/v1/runs/a%2Fb%22%3E\">\n",
		"/clusters/new":           module("connect-4.js") + session,
		"/clusters/prod-eu":       module("cluster-5.js") + session,
		"/resources/a/accounts/b": module("account-6.js") + session + wholePreload + "/api/v1/accounts/b\">\n",
		"/login":                  "", // no page behind a session
		"/runs/":                  "",
		"/runs/7f3a91/more":       "",
	} {
		if got := get(h, target, "Cookie", "session=x").Body.String(); got != "<head>"+want+"</head><body></body>" {
			t.Errorf("%s: %q", target, got)
		}
	}
}

func TestNothingIsReadAheadWithoutASession(t *testing.T) {
	body := get(withPages(t), "/secrets").Body.String()
	if strings.Contains(body, "/api/") || !strings.Contains(body, "list-2.js") {
		t.Errorf("%q", body)
	}
}

// An address is untrusted: nothing of it may leave the attribute that it is put into.
func TestAnAddressStaysInItsAttribute(t *testing.T) {
	h := withPages(t)
	for _, address := range []string{`/runs/"><script>x</script>`, `/runs/'><b>`, "/runs/<b", "/runs/a&quot;b"} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range []string{"", address} {
			r.URL.Path, r.URL.RawPath = address, raw
			r.Header.Set("Cookie", "session=x")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			link, found := strings.CutPrefix(w.Body.String(), `<head><link rel="modulepreload" crossorigin href="/assets/run-3.js">`+"\n"+session+wholePreload)
			link, closed := strings.CutSuffix(link, "\">\n</head><body></body>")
			if found != closed || strings.ContainsAny(link, `"<>`) && found || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%q (raw %q): %q", address, raw, w.Body)
			}
		}
	}
}

// What the build wrote is what the server reads: every page names files, and each of them is there.
func TestThePagesThatAreBuiltIn(t *testing.T) {
	h := Handler(func(*http.Request) string { return "n" })
	body := get(h, "/secrets", "Cookie", "session=x").Body.String()
	links := regexp.MustCompile(`<link rel="(?:modulepreload|stylesheet)" crossorigin href="([^"]+)">\n`).FindAllStringSubmatch(body, -1)
	if (len(links) > 0) != Built() || strings.Contains(body, "/api/v1/secrets?") != Built() {
		t.Errorf("built: %v, but the answer is %q", Built(), body)
	}
	for _, link := range links {
		if w := get(h, link[1]); w.Code != http.StatusOK {
			t.Errorf("%s: %d", link[1], w.Code)
		}
	}
}
