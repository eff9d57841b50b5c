package drawbridge_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// maxIdentifiers is the number of package-level identifiers that a reader of the
// root package can take in.
const maxIdentifiers = 15

// TestSurface counts what go doc -short lists, constructors included.
func TestSurface(t *testing.T) {
	t.Parallel()
	identifiers := make(map[string]string) // to their doc comments
	values := func(all []*doc.Value) {
		for _, value := range all {
			for _, name := range value.Names {
				identifiers[name] = value.Doc
			}
		}
	}
	functions := func(all []*doc.Func) {
		for _, function := range all {
			identifiers[function.Name] = function.Doc
		}
	}
	pkg := documented(t)
	values(pkg.Consts)
	values(pkg.Vars)
	functions(pkg.Funcs)
	for _, declared := range pkg.Types {
		identifiers[declared.Name] = declared.Doc
		values(declared.Consts)
		values(declared.Vars)
		functions(declared.Funcs)
		for _, method := range declared.Methods {
			if method.Doc == "" {
				t.Errorf("%s.%s has no doc comment", declared.Name, method.Name)
			}
		}
	}
	if len(identifiers) > maxIdentifiers {
		t.Errorf("%d package-level identifiers, want at most %d", len(identifiers), maxIdentifiers)
	}
	for _, name := range []string{"New", "Config", "Authorizer"} {
		if _, ok := identifiers[name]; !ok {
			t.Errorf("%s is not among %d identifiers", name, len(identifiers))
		}
	}
	for name, text := range identifiers {
		if text == "" {
			t.Errorf("%s has no doc comment", name)
		}
	}
	if pkg.Doc == "" {
		t.Error("the package has no doc comment")
	}
}

// documented returns the exported API of this directory's package.
func documented(t *testing.T) *doc.Package {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, modulePath)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
