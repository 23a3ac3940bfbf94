package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// document is the part of CycloneDX 1.6 that is written.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// license holds an SPDX expression.
type license struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// bill returns the bill of materials of a program with the console of that package-lock.json in it.
func bill(info *debug.BuildInfo, lock []byte) ([]byte, error) {
	doc := document{Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{named("application", "golang", info.Main.Path, info.Main.Version)}}
	std := named("library", "golang", "std", strings.TrimPrefix(info.GoVersion, "go"))
	doc.Components = append(doc.Components, std)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := named("library", "golang", m.Path, m.Version)
		c.Properties = []property{{"go.sum", m.Sum}}
		doc.Components = append(doc.Components, c)
	}
	shown, err := consolePackages(lock)
	if err != nil {
		return nil, err
	}
	doc.Components = append(doc.Components, shown...)
	slices.SortFunc(doc.Components, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	doc.Components = slices.CompactFunc(doc.Components, func(a, b component) bool { return a.Ref == b.Ref })
	return json.MarshalIndent(doc, "", "  ")
}

// consolePackages returns what of a package-lock.json is more than a tool of the build.
func consolePackages(lock []byte) ([]component, error) {
	var file struct {
		Packages map[string]struct {
			Version, Integrity, License string
			Dev                         bool
		}
	}
	if err := json.Unmarshal(lock, &file); err != nil {
		return nil, fmt.Errorf("read package-lock.json: %w", err)
	}
	var out []component
	for path, p := range file.Packages {
		_, name, installed := cutLast(path, "node_modules/")
		if !installed || p.Dev {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Integrity, "sha512-"))
		if err != nil || len(sum) != 64 {
			return nil, fmt.Errorf("package-lock.json: %s has no SHA-512", name)
		}
		c := named("library", "npm", name, p.Version)
		c.Hashes = []hash{{"SHA-512", hex.EncodeToString(sum)}}
		if p.License != "" {
			c.Licenses = []license{{p.License}}
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("package-lock.json names no package of the console")
	}
	return out, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// named returns a component with its package URL, in which npm's @ of a scope is escaped.
func named(kind, ecosystem, name, version string) component {
	url := "pkg:" + ecosystem + "/" + strings.ReplaceAll(name, "@", "%40") + "@" + strings.ReplaceAll(version, "+", "%2B")
	return component{Type: kind, Ref: url, Name: name, Version: version, PURL: url}
}
