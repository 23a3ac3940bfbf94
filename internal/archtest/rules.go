// Package archtest keeps the import rule: edge → core; mechanism → core; assembly → all; core → only fault, identity,
// policy, vault, audit and composite; nothing → edge or app. It also keeps a few doors narrow: who opens a Value, who
// reads the environment, what is nowhere. Its test reads the real tree; nothing imports it.
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the path that all packages begin with.
const Module = "github.com/keyturn/keyturn"

type layer string

const (
	edge      layer = "edge"
	core      layer = "core"
	mechanism layer = "mechanism"
	assembly  layer = "assembly"
	client    layer = "client"
	outside   layer = "outside" // cmd, test, console: may import everything
)

// layers places each folder of internal/. A new one has to be added here, which is the moment to think about it.
var layers = map[string]layer{
	"api": edge, "cli": edge,
	"identity": core, "inventory": core, "keyring": core, "rotation": core, "access": core, "policy": core, "vault": core, "audit": core,
	"fault": core, "composite": core,
	"store": mechanism, "kube": mechanism, "target": mechanism, "seal": mechanism, "notify": mechanism,
	"app": assembly, "config": assembly, "jobs": assembly, "archtest": assembly, "deps": assembly,
}

// shared are the core packages that the other core packages may import.
var shared = []string{"fault", "identity", "policy", "vault", "audit", "composite"}

// leaves are the core packages that import less than core may.
var leaves = map[string][]string{"internal/composite": {"internal/fault", "internal/vault"}}

// coreNever lists what of the standard library core does without: no network, no disk, no processes, no SQL.
var coreNever = []string{"net/http", "database/sql", "os", "io/ioutil", "syscall"}

// corePure are the modules beside the standard library that core may import: small, without I/O of their own.
var corePure = map[string]string{
	"github.com/robfig/cron/v3": "reads cron lines (rotation/schedule)",
	"golang.org/x/crypto":       "password hashes",
	"golang.org/x/mod":          "the Merkle tree of the audit log (sumdb/tlog, sumdb/note)",
	"golang.org/x/text":         "user names compare as people expect (secure/precis)",
	"github.com/google/uuid":    "ids",
	"go.yaml.in/yaml/v3":        "where a scalar begins in YAML (composite)",
}

// onlyIn lists imports that belong to some folders alone.
var onlyIn = map[string][]string{
	"database/sql":     {"internal/store", "internal/target", "test/bench"}, // the bare loop that reveals are measured against
	"k8s.io/client-go": {"internal/kube", "test"},
	"math/rand":        {"test/torture"}, // keys, passwords and ids come from crypto/rand; faults are drawn again from a seed
}

// exposers are the folders or files that may open a Value, each with the reason.
var exposers = map[string]string{
	"internal/vault":                    "seals it",
	"internal/seal":                     "derives the root key from the passphrase",
	"internal/target":                   "tells the real system",
	"internal/kube":                     "writes it to the Secret, and sends the cluster's token",
	"internal/api":                      "answers a reveal or a download",
	"internal/identity/password.go":     "hashes the password",
	"internal/identity/passwordrule.go": "refuses a password that is easy to guess",
	"internal/identity/secret.go":       "hashes the token, session or setup code that came in",
	"internal/app/server.go":            "prints the one-time link for the first administrator",
	"internal/composite":                "finds a password inside a value, and replaces it",
	"internal/audit/head.go":            "signs the tree head with the seed from the ring",
}

// environment are the folders that may read the environment; tests and test kits may too.
var environment = []string{"internal/config", "test"}

// randomTests are the packages whose tests may import math/rand, each with the reason.
var randomTests = map[string]string{
	"internal/app":   "draws a week of changes again from a seed",
	"internal/store": "kills its child process at a random moment, and draws places of equal values",
}

// Package is what the rules look at.
type Package struct {
	Dir     string   // below the module's root, such as "internal/vault"
	Imports []string // of all files but tests
	Tests   []string // imports of the tests
	Uses    []Use
}

// Check returns one line for each breach of a rule in p, each once, sorted.
func Check(p Package) []string {
	var found []string
	report := func(format string, args ...any) {
		found = append(found, p.Dir+" "+fmt.Sprintf(format, args...))
	}
	for _, imp := range p.Imports {
		if why := mayImport(p.Dir, imp); why != "" {
			report("imports %s: %s", imp, why)
		}
	}
	for _, imp := range p.Tests {
		if below(imp, "math/rand") && randomTests[p.Dir] == "" {
			report("imports math/rand in a test: use crypto/rand or a fixed sequence, or give the reason in randomTests")
		}
	}
	if _, ok := layerOf(p.Dir); !ok {
		report("is in no layer: give it one in archtest")
	}
	for _, u := range p.Uses {
		if why := mayUse(p.Dir, u); why != "" {
			report("uses %s in %s: %s", u.What, u.File, why)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// mayImport returns why the package in dir may not import imp, or "".
func mayImport(dir, imp string) string {
	for path, allowed := range onlyIn {
		if below(imp, path) && !inOneOf(dir, allowed) {
			return "it is not in onlyIn for this folder"
		}
	}
	from, _ := layerOf(dir)
	if rest, ok := strings.CutPrefix(imp, Module+"/"); ok {
		return mayImportOwn(dir, from, rest)
	}
	if from != core || testKit(dir) {
		return ""
	}
	for _, never := range coreNever {
		if below(imp, never) {
			return "core has no effects"
		}
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return "" // the rest of the standard library
	}
	for module := range corePure {
		if below(imp, module) {
			return ""
		}
	}
	return "core imports no module but those in corePure"
}

// mayImportOwn is mayImport for the package in folder to of this module.
func mayImportOwn(dir string, from layer, to string) string {
	if top(dir) == top(to) || from == outside {
		return ""
	}
	target, ok := layerOf(to)
	switch {
	case !ok:
		return "it is in no layer"
	case target == edge || top(to) == "internal/app":
		if top(dir) == "internal/app" {
			return ""
		}
		return "nothing but app and cmd imports edge or app"
	case from == assembly:
		return ""
	case leaves[top(dir)] != nil && !slices.Contains(leaves[top(dir)], top(to)):
		return fmt.Sprintf("it imports only %v of this module", leaves[top(dir)])
	case from == core && !slices.Contains(shared, strings.TrimPrefix(top(to), "internal/")):
		return fmt.Sprintf("core imports only %v of this module", shared)
	case target == core:
		return ""
	case from == edge && target == client:
		return ""
	case top(dir) == "internal/api" && to == "internal/store":
		return "" // for what pages show: see ARCHITECTURE.md
	}
	return fmt.Sprintf("%s imports only core", from)
}

// mayUse returns why the package in dir may not do u, or "".
func mayUse(dir string, u Use) string {
	test := strings.HasSuffix(u.File, "_test.go") || testKit(dir)
	switch u.What {
	case skipVerify:
		return "a certificate that was not checked is none"
	case environ:
		if !test && !inOneOf(dir, environment) {
			return "only config reads the environment"
		}
	case expose:
		file := dir + "/" + u.File
		for place := range exposers {
			if below(file, place) {
				return ""
			}
		}
		if !test && !below(dir, "test") {
			return "it is not in the list of those who may open a Value"
		}
	}
	return ""
}

// layerOf returns the layer of the package in dir; false when nobody has decided.
func layerOf(dir string) (layer, bool) {
	rest, internal := strings.CutPrefix(dir, "internal/")
	if !internal {
		if below(dir, "client") {
			return client, true
		}
		return outside, true
	}
	name, _, _ := strings.Cut(rest, "/")
	l, ok := layers[name]
	return l, ok
}

// testKit reports whether dir is a package for tests, such as store/storetest: no binary contains it.
func testKit(dir string) bool {
	return strings.HasSuffix(dir, "test") && !below(dir, "internal/archtest")
}

// top returns the first two elements of a folder of internal/, the first of any other.
func top(dir string) string {
	parts := strings.SplitN(dir, "/", 3)
	if parts[0] != "internal" || len(parts) == 1 {
		return parts[0]
	}
	return parts[0] + "/" + parts[1]
}

// below reports whether path is parent or inside of it.
func below(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func inOneOf(dir string, parents []string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool { return below(dir, parent) })
}
