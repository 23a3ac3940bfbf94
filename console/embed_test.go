package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func packed(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func built(t *testing.T) http.Handler {
	return handler(fstest.MapFS{
		"index.html":            {Data: []byte(`<script nonce="__CSP_NONCE__"></script><meta nonce="__CSP_NONCE__">`)},
		"theme.js":              {Data: []byte("theme")},
		".gitkeep":              {},
		"assets/main-4f2.js":    {Data: []byte("main")},
		"assets/main-4f2.js.gz": {Data: packed(t, "main")},
		"assets/style-1a.css":   {Data: []byte("style")},
	}, func(r *http.Request) string { return r.Header.Get("X-Nonce") })
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPagesGetTheIndexWithTheirOwnNonce(t *testing.T) {
	h := built(t)
	for _, target := range []string{
		"/", "/index.html", "/login", "/secrets/prod-eu/shop/sh.helm.release.v1", "/secrets/a/b/tls.js",
		"/secrets?ns=a.b", "/settings/users/",
	} {
		w := get(h, target, "X-Nonce", "n1")
		want := `<script nonce="n1"></script><meta nonce="n1">`
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", target, got)
		}
	}
	if w := get(h, "/", "X-Nonce", "n2"); !strings.Contains(w.Body.String(), `nonce="n2"`) {
		t.Errorf("a second answer has %q", w.Body)
	}
	if w := get(h, "/", "X-Nonce", `"><script>`); strings.Contains(w.Body.String(), `"><script>`+`"`) {
		t.Errorf("a nonce left its attribute: %q", w.Body)
	}
}

func TestHashedFilesAreImmutableAndPacked(t *testing.T) {
	h := built(t)
	w := get(h, "/assets/main-4f2.js", "Accept-Encoding", "br, gzip")
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("headers: %v", w.Header())
	}
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
	}
	zr, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(zr); err != nil || string(body) != "main" {
		t.Errorf("unpacked to %q, %v", body, err)
	}
	for _, accept := range []string{"", "br", "gzip;q=0", "gzip; q=x"} {
		w := get(h, "/assets/main-4f2.js", "Accept-Encoding", accept)
		if w.Header().Get("Content-Encoding") != "" || w.Body.String() != "main" {
			t.Errorf("Accept-Encoding %q: %v %q", accept, w.Header(), w.Body)
		}
	}
	// Without a packed form the file itself is served.
	if w := get(h, "/assets/style-1a.css", "Accept-Encoding", "gzip"); w.Body.String() != "style" {
		t.Errorf("style: %d %q", w.Code, w.Body)
	}
}

func TestFilesWithoutAHashAreAskedForAgain(t *testing.T) {
	if w := get(built(t), "/theme.js"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestAFileThatIsNotThereIsNotAPage(t *testing.T) {
	for _, target := range []string{
		"/assets/gone-1.js", "/favicon.ico", "/assets/main-4f2.js.gz", "/.gitkeep",
		"/assets/../.gitkeep", "/assets/..%2f.gitkeep",
	} {
		w := get(built(t), target)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
	}
}

func TestOnlyReading(t *testing.T) {
	h := built(t)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/login", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/assets/style-1a.css", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "5" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestWithoutABuildThePageSaysHowToMakeOne(t *testing.T) {
	h := handler(fstest.MapFS{".gitkeep": {}}, func(*http.Request) string { return "n" })
	for _, target := range []string{"/", "/login", "/assets/x.js"} {
		w := get(h, target)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "npm run build") {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored", target)
		}
	}
}

func TestWhatIsBuiltIn(t *testing.T) {
	w := get(Handler(func(*http.Request) string { return "n3" }), "/")
	if Built() {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `nonce="n3"`) || strings.Contains(w.Body.String(), placeholder) {
			t.Errorf("built: %d %q", w.Code, w.Body)
		}
		return
	}
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("not built: %d", w.Code)
	}
}
