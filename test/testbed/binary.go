package testbed

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/keyturn/keyturn/internal/fault"
)

const mainModule = "module github.com/keyturn/keyturn\n"

// kubeBin returns the path of one binary of the control plane: from the folder that KEYTURN_KUBE_BIN names, else from
// tools/kube/bin of the checkout that the working directory lies in.
func kubeBin(name string) (string, error) {
	folder := os.Getenv("KEYTURN_KUBE_BIN")
	if folder == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		folder = filepath.Join(root, "tools", "kube", "bin")
	}
	path := filepath.Join(folder, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", fault.New(fault.NotFound, "the local Kubernetes control plane is not built: %s is missing", path).
			WithCure("run `make kube`, or set KEYTURN_KUBE_BIN to the folder that holds it")
	}
	return path, nil
}

// moduleRoot walks up from the working directory to the main module's go.mod; tools below it have go.mod files of their
// own.
func moduleRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := wd; ; at = filepath.Dir(at) {
		if b, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil && bytes.Contains(append([]byte("\n"), b...), []byte("\n"+mainModule)) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fault.New(fault.NotFound, "%s lies in no checkout of Keyturn", wd).
				WithCure("run inside one, or set KEYTURN_KUBE_BIN to the folder that `make kube` filled")
		}
	}
}

// postgresBin returns the folder of PostgreSQL's server programs: the one that KEYTURN_POSTGRES_BIN names, else the
// newest that Debian's packages installed.
func postgresBin() (string, error) {
	if folder := os.Getenv("KEYTURN_POSTGRES_BIN"); folder != "" {
		return folder, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fault.New(fault.NotFound, "PostgreSQL is not installed: nothing in /usr/lib/postgresql").
			WithCure("run `make setup`, or install the Debian package postgresql, or set KEYTURN_POSTGRES_BIN")
	}
	return filepath.Dir(found[len(found)-1]), nil // sorted; Debian's versions have had two digits since 10
}
