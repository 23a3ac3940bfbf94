package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listed is what `go list -json` says of a package.
type listed struct {
	Dir, ImportPath                                              string
	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports                           []string
}

// realTree returns all packages of this module that are there. Broken ones are listed too (-e): that they do not compile
// is for another test to say.
func realTree(t *testing.T) []Package {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"list", "-e", "-json=Dir,ImportPath,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"}
	for _, dir := range []string{"internal", "client", "cmd", "test"} {
		if _, err := os.Stat(filepath.Join(root, dir)); err == nil {
			args = append(args, "./"+dir+"/...")
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, read(t, l))
	}
}

func read(t *testing.T, l listed) Package {
	t.Helper()
	p := Package{
		Dir:     strings.TrimPrefix(l.ImportPath, Module+"/"),
		Imports: l.Imports,
		Tests:   slices.Concat(l.TestImports, l.XTestImports),
	}
	for _, name := range slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles) {
		src, err := os.ReadFile(filepath.Join(l.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		uses, err := Uses(name, src)
		if err != nil {
			t.Fatal(err)
		}
		p.Uses = append(p.Uses, uses...)
	}
	return p
}

func TestTheRealTree(t *testing.T) {
	pkgs := realTree(t)
	have := map[string]bool{}
	for _, p := range pkgs {
		have[p.Dir] = true
		for _, breach := range Check(p) {
			t.Error(breach)
		}
	}
	for _, dir := range []string{"internal/vault", "internal/seal", "internal/fault"} {
		if !have[dir] {
			t.Errorf("%s was not looked at", dir)
		}
	}
}

func TestImportRules(t *testing.T) {
	own := func(s string) string { return Module + "/internal/" + s }
	for _, tc := range []struct {
		dir, imp string
		ok       bool
	}{
		{"internal/vault", "crypto/aes", true},
		{"internal/vault", own("fault"), true},
		{"internal/vault", "os", false},
		{"internal/vault", "os/exec", false},
		{"internal/access", "net/http", false},
		{"internal/access", "net/http/httptest", false},
		{"internal/access", "net/netip", true},
		{"internal/access", "database/sql", false},
		{"internal/access", own("vault"), true},
		{"internal/access", own("access/grant"), true},
		{"internal/access", own("inventory"), false},
		{"internal/access", own("store"), false},
		{"internal/access", own("config"), false},
		{"internal/access", own("api"), false},
		{"internal/access", "github.com/google/uuid", true},
		{"internal/access", "golang.org/x/crypto/argon2", true},
		{"internal/access", "golang.org/x/cryptography", false},
		{"internal/access", "github.com/jackc/pgx/v5", false},
		{"internal/access", "k8s.io/client-go/rest", false},
		{"internal/composite", own("vault"), true},
		{"internal/composite", own("identity"), false},
		{"internal/composite", "go.yaml.in/yaml/v3", true},
		{"internal/rotation", own("composite"), true},
		{"internal/store", "database/sql/driver", true},
		{"internal/store", own("rotation"), true},
		{"internal/store", own("kube"), false},
		{"internal/store", own("app"), false},
		{"internal/store/storetest", own("store"), true},
		{"internal/target/postgresql", "database/sql", true},
		{"internal/target/postgresql", own("target"), true},
		{"internal/target/postgresql", own("jobs"), false},
		{"internal/kube", "k8s.io/client-go/rest", true},
		{"internal/jobs", "k8s.io/client-go/rest", false},
		{"internal/jobs", "database/sql", false},
		{"internal/jobs", own("store"), true},
		{"internal/jobs", own("app"), false},
		{"internal/jobs", own("cli"), false},
		{"internal/app", own("api"), true},
		{"internal/api", own("access"), true},
		{"internal/api", own("store"), true}, // its read models
		{"internal/api", own("kube"), false},
		{"internal/cli", own("store"), false},
		{"internal/api", own("cli"), false},
		{"internal/api", own("app"), false},
		{"internal/cli", Module + "/client", true},
		{"internal/cli", own("seal"), false},
		{"internal/cli", "math/rand/v2", false},
		{"internal/store", own("nowhere"), false},
		{"client", own("fault"), true},
		{"client", own("store"), false},
		{"client", own("api"), false},
		{"cmd/keyturn", own("app"), true},
		{"cmd/keyturn", own("cli"), true},
		{"cmd/keyturn", "database/sql", false},
		{"test/e2e", "k8s.io/client-go/rest", true},
		{"test/e2e", "math/rand", false},
	} {
		if why := mayImport(tc.dir, tc.imp); (why == "") != tc.ok {
			t.Errorf("%s imports %s: %q, want allowed=%v", tc.dir, tc.imp, why, tc.ok)
		}
	}
}

func TestCheckReports(t *testing.T) {
	src, err := os.ReadFile("testdata/bad.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	uses, err := Uses("bad.go", src)
	if err != nil {
		t.Fatal(err)
	}
	got := Check(Package{
		Dir:     "internal/rotation",
		Imports: []string{"crypto/tls", "os", Module + "/internal/vault"},
		Tests:   []string{"math/rand/v2", "os"},
		Uses:    uses,
	})
	want := []string{
		"internal/rotation imports math/rand in a test: use crypto/rand or a fixed sequence, or give the reason in randomTests",
		"internal/rotation imports os: core has no effects",
		"internal/rotation uses InsecureSkipVerify in bad.go: a certificate that was not checked is none",
		"internal/rotation uses Value.Expose in bad.go: it is not in the list of those who may open a Value",
		"internal/rotation uses the environment in bad.go: only config reads the environment",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Check(Package{Dir: "internal/util"}); len(got) != 1 {
		t.Errorf("a folder in no layer: %v", got)
	}
}

func TestUseRules(t *testing.T) {
	for _, tc := range []struct {
		dir, file, what string
		ok              bool
	}{
		{"internal/target/postgresql", "set.go", expose, true},
		{"internal/audit", "head.go", expose, true},
		{"internal/audit", "event.go", expose, false},
		{"internal/audit", "event_test.go", expose, true},
		{"internal/kubernetes", "a.go", expose, false},
		{"internal/config", "config.go", environ, true},
		{"internal/app", "app.go", environ, false},
		{"internal/app", "app_test.go", environ, true},
		{"internal/store/storetest", "run.go", environ, true},
		{"internal/kube", "conn_test.go", skipVerify, false},
	} {
		if why := mayUse(tc.dir, Use{tc.file, tc.what}); (why == "") != tc.ok {
			t.Errorf("%s/%s uses %s: %q, want allowed=%v", tc.dir, tc.file, tc.what, why, tc.ok)
		}
	}
	src, err := os.ReadFile("testdata/good.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if uses, err := Uses("good.go", src); err != nil || len(uses) != 0 {
		t.Errorf("%v, %v", uses, err)
	}
	if _, err := Uses("broken.go", []byte("package")); err == nil {
		t.Error("a broken file was read")
	}
}
