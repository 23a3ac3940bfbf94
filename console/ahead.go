package console

import (
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

const (
	headEnd = "</head>"
	// pagesFile is what scripts/pages.mjs writes.
	pagesFile = ".pages.json"
	// whoReads is what every page behind a session reads first.
	whoReads = "/api/v1/session"
)

// page is one page behind a session: what the browser needs for it that
// index.html does not name.
type page struct {
	segments []string // of its address; one that begins with $ stands for any
	links    string   // to its files
	reads    string   // of the API, with the address's $ segments in it; may be empty
}

// readPages returns none when the build left none: pages then only come later.
func readPages(dist fs.FS) []page {
	text, err := fs.ReadFile(dist, pagesFile)
	if err != nil {
		return nil
	}
	var all map[string]struct {
		Files []string
		Reads string
	}
	if err := json.Unmarshal(text, &all); err != nil {
		panic(fmt.Sprintf("console: %s does not decode: %v", pagesFile, err)) // the build wrote it
	}
	var pages []page
	for address, p := range all {
		var links strings.Builder
		for _, file := range p.Files {
			kind := "modulepreload"
			if path.Ext(file) == ".css" {
				kind = "stylesheet"
			}
			fmt.Fprintf(&links, "<link rel=%q crossorigin href=\"/%s\">\n", kind, html.EscapeString(file))
		}
		pages = append(pages, page{segments: strings.Split(address, "/"), links: links.String(), reads: p.Reads})
	}
	return pages
}

// match returns the values of the page's $ segments in an address, whose
// segments are still escaped, and how many of them there are.
func (p page) match(segments []string) (values map[string]string, ok bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	values = map[string]string{}
	for i, want := range p.segments {
		switch {
		case strings.HasPrefix(want, "$") && segments[i] != "":
			values[want] = segments[i]
		case want != segments[i]:
			return nil, false
		}
	}
	return values, true
}

// ahead returns links to what the page of a request will need, so that the
// browser has it when its scripts ask: the page's files, and for somebody with a
// session what the page reads first. An address with a query reads something else.
func (s *site) ahead(r *http.Request) string {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	var found *page
	var values map[string]string
	for _, p := range s.pages {
		if v, ok := p.match(segments); ok && (found == nil || len(v) < len(values)) {
			found, values = &p, v
		}
	}
	if found == nil {
		return ""
	}
	links := found.links
	if len(r.Cookies()) == 0 {
		return links
	}
	links += read(whoReads)
	if found.reads == "" || r.URL.RawQuery != "" {
		return links
	}
	reads := found.reads
	for name, value := range values {
		reads = strings.ReplaceAll(reads, name, value)
	}
	return links + read(reads)
}

func read(address string) string {
	return fmt.Sprintf("<link rel=\"preload\" as=\"fetch\" crossorigin href=\"%s\">\n", html.EscapeString(address))
}
