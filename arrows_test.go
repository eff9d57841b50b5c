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

// Trees that a server must not carry unless it asked for them, as prefixes of
// import paths.
const (
	connectGo = "connectrpc.com/connect"
	grpcGo    = "google.golang.org/grpc"
	oidc      = "github.com/zitadel/oidc"
	jose      = "github.com/go-jose/go-jose"
	mcpSDK    = "github.com/modelcontextprotocol/go-sdk"
)

var allTrees = []string{connectGo, grpcGo, oidc, jose, mcpSDK}

// A node is what the package graph requires of one package.
type node struct {
	// floor is the height of the package. It imports packages of lower floors
	// alone.
	floor int
	// imports are the packages of this module that it may import, relative to
	// the module.
	imports []string
	// without are the trees that it must not depend on, directly or indirectly.
	without []string
}

// arrows is the package graph. The keys are all packages of this module,
// relative to it.
var arrows = map[string]node{
	// Syntax, and packages without a domain.
	"proto/drawbridge/v1": {floor: 0, without: allTrees},
	"fault":               {floor: 0, without: allTrees},
	"internal/callerkey":  {floor: 0, without: allTrees},
	"internal/expiry":     {floor: 0, without: allTrees},
	"internal/jwt":        {floor: 0, without: []string{connectGo, grpcGo, oidc, mcpSDK}},
	"internal/panicked":   {floor: 0, without: allTrees},
	"internal/rpc":        {floor: 0, without: allTrees},
	"internal/uri":        {floor: 0, without: allTrees},
	"internal/vectors":    {floor: 0, without: allTrees},
	"internal/wwwauth":    {floor: 0, without: allTrees},
	// The facts of a token, and the denial.
	"token": {floor: 1, imports: []string{"internal/callerkey"}, without: allTrees},
	"challenge": {
		floor:   1,
		imports: []string{"internal/rpc", "internal/uri", "internal/wwwauth", "proto/drawbridge/v1"},
		without: allTrees,
	},
	"internal/drain":    {floor: 1, imports: []string{"internal/rpc"}, without: allTrees},
	"internal/resource": {floor: 1, imports: []string{"fault", "internal/uri"}, without: allTrees},
	// What is required, and what verifies. They do not know each other.
	"policy": {
		floor:   2,
		imports: []string{"challenge", "fault", "internal/panicked", "internal/rpc", "internal/wwwauth", "proto/drawbridge/v1", "token"},
		without: allTrees,
	},
	"policy/authzen": {
		floor:   3,
		imports: []string{"fault", "internal/panicked", "internal/rpc", "internal/uri", "policy", "token"},
		without: allTrees,
	},
	"verifier": {
		floor:   2,
		imports: []string{"fault", "internal/expiry", "internal/jwt", "internal/panicked", "internal/uri", "internal/wwwauth", "token"},
		without: []string{connectGo, grpcGo, mcpSDK},
	},
	"verifier/proof": {
		floor:   2,
		imports: []string{"fault", "internal/jwt", "internal/uri", "token"},
		without: []string{connectGo, grpcGo, oidc, mcpSDK},
	},
	"authtest": {floor: 2, without: []string{connectGo, grpcGo, mcpSDK}},
	// The decision.
	".": {
		floor: 3,
		imports: []string{
			"challenge", "fault", "internal/callerkey", "internal/expiry", "internal/panicked", "internal/resource", "internal/rpc",
			"policy", "token",
		},
		without: allTrees,
	},
	"internal/exchange": {
		floor:   4,
		imports: []string{".", "challenge", "internal/drain", "internal/rpc", "internal/uri"},
		without: allTrees,
	},
	// What watches it.
	"otel": {floor: 4, imports: []string{".", "challenge", "fault", "token"}, without: allTrees},
	// What carries it over RPC and HTTP.
	"interceptor": {
		floor:   5,
		imports: []string{".", "challenge", "internal/exchange", "proto/drawbridge/v1"},
		without: allTrees,
	},
	"httpbridge": {
		floor:   5,
		imports: []string{".", "challenge", "fault", "internal/drain", "internal/exchange", "internal/resource", "internal/rpc", "internal/uri"},
		without: allTrees,
	},
	"internal/rpctest": {
		floor:   5,
		imports: []string{".", "policy", "token"},
		without: []string{oidc, jose, mcpSDK},
	},
	"interceptor/connectauth": {
		floor:   6,
		imports: []string{".", "challenge", "interceptor", "internal/drain", "internal/exchange", "internal/rpc"},
		without: []string{grpcGo, oidc, jose, mcpSDK},
	},
	"interceptor/grpcauth": {
		floor:   6,
		imports: []string{".", "challenge", "interceptor"},
		without: []string{connectGo, oidc, jose, mcpSDK},
	},
	"httpbridge/mcpbridge": {
		floor:   6,
		imports: []string{".", "challenge", "fault", "httpbridge", "internal/exchange", "token"},
		without: []string{connectGo, grpcGo, oidc, jose},
	},
}

// A listedPackage is what go list reports about a package.
type listedPackage struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // direct and indirect
}

// relative returns an import path as a key of arrows.
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

// Every import is an arrow of the graph, and every arrow goes down.
func TestArrowsGoDown(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		name := relative(pkg.ImportPath)
		for _, path := range pkg.Imports {
			if path != modulePath && !strings.HasPrefix(path, modulePath+"/") {
				continue
			}
			imported := relative(path)
			if !slices.Contains(arrows[name].imports, imported) {
				t.Errorf("%s imports %s", name, imported)
			}
			if arrows[imported].floor >= arrows[name].floor {
				t.Errorf("%s on floor %d imports %s on floor %d", name, arrows[name].floor, imported, arrows[imported].floor)
			}
		}
	}
}

// No arrow stands in the graph that no package uses.
func TestArrowsAreUsed(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		name := relative(pkg.ImportPath)
		for _, imported := range arrows[name].imports {
			path := strings.TrimSuffix(modulePath+"/"+imported, "/.")
			if !slices.Contains(pkg.Imports, path) {
				t.Errorf("%s does not import %s", name, imported)
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
