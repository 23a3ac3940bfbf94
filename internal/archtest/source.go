package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
)

// Use is one thing in a source file that a rule is about.
type Use struct {
	File string // its name in the package's folder
	What string
}

const (
	expose     = "Value.Expose"
	environ    = "the environment"
	skipVerify = "InsecureSkipVerify"
)

// environReaders are the functions of os and syscall that read the environment.
var environReaders = map[string]bool{"Getenv": true, "LookupEnv": true, "Environ": true, "ExpandEnv": true}

// Uses returns what a Go file does that a rule is about. Names decide, not types: a method that is called Expose counts,
// whatever it belongs to, called or passed on.
func Uses(name string, src []byte) ([]Use, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("archtest: %w", err)
	}
	systems := map[string]bool{} // the names by which this file knows os and syscall
	for _, imp := range file.Imports {
		if p, err := strconv.Unquote(imp.Path.Value); err == nil && (p == "os" || p == "syscall") {
			local := path.Base(p)
			if imp.Name != nil {
				local = imp.Name.Name
			}
			systems[local] = true
		}
	}
	var uses []Use
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			switch {
			case n.Sel.Name == "Expose":
				uses = append(uses, Use{name, expose})
			case ok && systems[x.Name] && environReaders[n.Sel.Name]:
				uses = append(uses, Use{name, environ})
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && systems["."] && environReaders[f.Name] {
				uses = append(uses, Use{name, environ})
			}
		case *ast.Ident:
			if n.Name == "InsecureSkipVerify" {
				uses = append(uses, Use{name, skipVerify})
			}
		}
		return true
	})
	return uses, nil
}
