// Package console serves the web console that is built into the program.
//
// The files are those of dist, made by "npm run build" in this folder. Without
// a build the package still compiles, and its pages say how to make one.
package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var files embed.FS

// placeholder stands in index.html wherever the nonce belongs.
const placeholder = "__CSP_NONCE__"

const unbuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Keyturn</title>
<h1>The console is not built into this program</h1>
<p>Run <code>npm ci</code> and <code>npm run build</code> in the folder <code>console</code>, then build the program again.
The API and the <code>keyturn</code> command work without it.</p>
</html>
`

// Handler serves the console that was built into the program.
//
// nonce returns the Content-Security-Policy nonce of the request's answer; the
// caller sets that header itself. Only GET and HEAD are answered, anything else
// is 405. Files with a content hash are immutable for a year; index.html, which
// also answers every path that is not a file's, is never stored. Handler may be
// called by many goroutines when nonce may.
func Handler(nonce func(*http.Request) string) http.Handler {
	dist, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // "dist" is a valid name
	}
	return handler(dist, nonce)
}

// Built reports whether a console was built into the program.
func Built() bool {
	_, err := fs.Stat(files, "dist/index.html")
	return err == nil
}

type site struct {
	dist  fs.FS
	nonce func(*http.Request) string
	index []byte // nil when the console is not built
	pages []page
}

func handler(dist fs.FS, nonce func(*http.Request) string) http.Handler {
	index, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		index = nil
	}
	return &site{dist: dist, nonce: nonce, index: index, pages: readPages(dist)}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case s.index == nil:
		s.page(w, r, http.StatusServiceUnavailable, []byte(unbuilt))
	case name == "" || name == "index.html":
		s.serveIndex(w, r)
	case isFile(name):
		s.serveFile(w, r, name)
	default:
		s.serveIndex(w, r)
	}
}

// isFile tells the console's files from its pages. Names of Secrets may hold
// dots, so a dot does not make a path a file: only the build's own folder does,
// and the few files beside index.html.
func isFile(name string) bool {
	return strings.HasPrefix(name, "assets/") || !strings.Contains(name, "/") && path.Ext(name) != ""
}

func (s *site) serveIndex(w http.ResponseWriter, r *http.Request) {
	nonce := html.EscapeString(s.nonce(r))
	body := bytes.ReplaceAll(s.index, []byte(placeholder), []byte(nonce))
	s.page(w, r, http.StatusOK, bytes.Replace(body, []byte(headEnd), []byte(s.ahead(r)+headEnd), 1))
}

func (s *site) page(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is no fault of ours
	}
}

func (s *site) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	if strings.HasSuffix(name, ".gz") || path.Base(name)[0] == '.' {
		s.notFound(w)
		return
	}
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		h.Set("Content-Type", kind)
	}
	body, packed, err := s.open(name, acceptsGzip(r))
	if err != nil {
		s.notFound(w)
		return
	}
	defer body.Close()
	if packed {
		h.Set("Content-Encoding", "gzip")
	}
	h.Add("Vary", "Accept-Encoding")
	if info, err := body.Stat(); err == nil {
		h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, body) // a client that went away is no fault of ours
	}
}

// open returns the packed form of a file when the client takes it and there is
// one, else the file itself.
func (s *site) open(name string, gzip bool) (f fs.File, packed bool, err error) {
	if gzip {
		f, err = s.dist.Open(name + ".gz")
		if err == nil {
			return f, true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("open packed file: %w", err)
		}
	}
	f, err = s.dist.Open(name)
	if err != nil {
		return nil, false, fmt.Errorf("open file: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil, false, errors.Join(err, f.Close(), fs.ErrNotExist)
	}
	return f, false, nil
}

// notFound answers a file that does not exist. It is not stored: a newer
// server may have it.
func (s *site) notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.Error(w, "no such file", http.StatusNotFound)
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding != "gzip" && coding != "*" {
			continue
		}
		q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		if !ok {
			return true
		}
		value, err := strconv.ParseFloat(q, 64)
		return err == nil && value > 0
	}
	return false
}
