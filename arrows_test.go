package drawbridge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/drawbridge-rpc/drawbridge"

// Trees that a server should not carry unless it asked for them. They are
// prefixes of import paths.
const (
	connectGo = "connectrpc.com/connect"
	grpcGo    = "google.golang.org/grpc"
	oidc      = "github.com/zitadel/oidc"
	jose      = "github.com/go-jose/go-jose"
	mcpSDK    = "github.com/modelcontextprotocol/go-sdk"
)

var allTrees = []string{connectGo, grpcGo, oidc, jose, mcpSDK}

// A node is what the package graph asks of one package.
type node struct {
	// imports are the packages of this module that it may import, relative to
	// the module.
	imports []string
	// without are the trees that it must not reach, by whatever way.
	without []string
}

// arrows is the package graph. The keys are all packages of this module,
// relative to it.
var arrows = map[string]node{
	".":                   {without: allTrees},
	"proto/drawbridge/v1": {without: allTrees},
	"internal/wwwauth":    {without: allTrees},
	"policy": {
		imports: []string{"internal/wwwauth", "proto/drawbridge/v1"},
		without: allTrees,
	},
	"interceptor": {
		imports: []string{"internal/wwwauth", "policy", "proto/drawbridge/v1"},
		without: allTrees,
	},
	"internal/recorder": {
		imports: []string{"interceptor"},
		without: allTrees,
	},
	"internal/rpctest": {
		imports: []string{"interceptor", "policy"},
		without: []string{oidc, jose, mcpSDK},
	},
	"verifier": {
		imports: []string{"interceptor"},
		without: []string{connectGo, grpcGo, mcpSDK},
	},
	"interceptor/connectauth": {
		imports: []string{"interceptor", "internal/recorder", "internal/wwwauth", "policy", "proto/drawbridge/v1"},
		without: []string{grpcGo, oidc, jose, mcpSDK},
	},
	"interceptor/grpcauth": {
		imports: []string{"interceptor", "internal/recorder", "internal/wwwauth", "policy", "proto/drawbridge/v1"},
		without: []string{connectGo, oidc, jose, mcpSDK},
	},
	"httpbridge": {
		imports: []string{"interceptor", "internal/recorder", "internal/wwwauth", "policy"},
		without: allTrees,
	},
	"httpbridge/mcpbridge": {
		imports: []string{"httpbridge", "interceptor", "internal/recorder", "policy"},
		without: []string{connectGo, grpcGo, oidc, jose},
	},
	"authtest": {
		imports: []string{"interceptor"},
		without: []string{connectGo, grpcGo, mcpSDK},
	},
}

// A listedPackage is what go list tells of a package.
type listedPackage struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // all the way down
}

// relative is the import path as the keys of arrows have it.
func relative(importPath string) string {
	if importPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(importPath, modulePath+"/")
}

func TestArrowsNameEveryPackage(t *testing.T) {
	t.Parallel()
	var found []string
	for _, pkg := range listPackages(t) {
		found = append(found, relative(pkg.ImportPath))
	}
	slices.Sort(found)
	if want := slices.Sorted(maps.Keys(arrows)); !slices.Equal(found, want) {
		t.Errorf("packages of the module:\n got %q\nwant %q", found, want)
	}
}

// No package reaches back up.
func TestArrowsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		name := relative(pkg.ImportPath)
		for _, imported := range pkg.Imports {
			if strings.HasPrefix(imported, modulePath+"/") && !slices.Contains(arrows[name].imports, relative(imported)) {
				t.Errorf("%s imports %s", name, relative(imported))
			}
		}
	}
}

// A Connect server does not carry grpc-go, a grpc-go server does not carry
// connect-go, and neither carries an OIDC library unless it builds a verifier.
func TestArrowsKeepTreesApart(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		name := relative(pkg.ImportPath)
		for _, tree := range arrows[name].without {
			inTree := func(dependency string) bool {
				return dependency == tree || strings.HasPrefix(dependency, tree+"/")
			}
			if i := slices.IndexFunc(pkg.Deps, inTree); i >= 0 {
				t.Errorf("%s depends on %s", name, pkg.Deps[i])
			}
		}
	}
}

// listPackages lists the packages of the module without their tests.
func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	list.Stderr = &stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []listedPackage
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var pkg listedPackage
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
}
