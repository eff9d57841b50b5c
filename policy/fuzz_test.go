package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// FuzzLookup: a rule applies to the methods of its service and to nothing else,
// and a method that is locked stays so, however its name is written (RPC-5,
// RPC-6).
func FuzzLookup(f *testing.F) {
	table := compile(f, policy.Policy{Services: map[string]policy.Service{
		elsewhere: {Rule: policy.Rule{Public: true}, Methods: map[string]policy.Rule{"Locked": {}}, NoDescriptor: true},
		described: {Rule: policy.Rule{Public: true}, Methods: map[string]policy.Rule{"Put": {}}},
	}})
	for _, procedure := range []string{
		"", "/", "/a.v1.A/Get", "/a.v1.A/Locked", "a.v1.A/Get", "//a.v1.A/Get", "/a.v1.A/Get/", "/a.v1.A/Get?a", "/a.v1.A/%47et",
		"/" + described + "/Get", "/" + described + "/Put", "/" + described + "/get",
	} {
		f.Add(procedure)
	}
	f.Fuzz(func(t *testing.T, procedure string) {
		requirement := table.Lookup(procedure)
		if requirement == nil {
			return
		}
		method, isElsewhere := strings.CutPrefix(procedure, "/"+elsewhere+"/")
		notLetter := func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}
		switch {
		case requirement.Service() == elsewhere && isElsewhere && method != "Locked" && method != "" && !strings.ContainsFunc(method, notLetter):
		case requirement.Service() == described && (procedure == "/"+described+"/Get" || procedure == "/"+described+"/Watch"):
		default:
			t.Errorf("RPC-6: %q got the rule of %q", procedure, requirement.Service())
		}
	})
}

// FuzzImplies: a scope satisfies exactly those rules that it leads to, whatever
// implies what, and cycles are faults (MCP-5). Each byte is an implication: the
// broader scope in its high bits.
func FuzzImplies(f *testing.F) {
	f.Add([]byte{0x01, 0x12, 0x23})
	f.Add([]byte{0x01, 0x02, 0x13, 0x23})
	f.Add([]byte{0x01, 0x12, 0x20})
	f.Add([]byte{0x00})
	f.Fuzz(func(t *testing.T, edges []byte) {
		const n = 8
		name := func(i int) string { return fmt.Sprintf("s%d", i) }
		implies := make(map[string][]string)
		var leads [n][n]bool
		for _, edge := range edges {
			from, to := int(edge>>4)%n, int(edge)%n
			if !leads[from][to] {
				implies[name(from)] = append(implies[name(from)], name(to))
			}
			leads[from][to] = true
		}
		isCyclic := false
		for via := range n {
			for from := range n {
				for to := range n {
					leads[from][to] = leads[from][to] || leads[from][via] && leads[via][to]
				}
			}
		}
		for i := range n {
			isCyclic = isCyclic || leads[i][i]
		}
		methods := make(map[string]policy.Rule)
		for i := range n {
			methods["M"+name(i)] = policy.Rule{Scopes: []string{name(i)}}
		}
		p := rules(policy.Rule{}, methods)
		p.Implies = implies
		if faults := faultsOf(t, p); isCyclic || len(faults) > 0 {
			isReported := slices.ContainsFunc(faults, func(text string) bool { return strings.Contains(text, "is a cycle") })
			if isReported != isCyclic {
				t.Errorf("%v: cyclic %t, got %q", implies, isCyclic, faults)
			}
			return
		}
		table := compile(t, p)
		for from := range n {
			for to := range n {
				got := satisfied(table.Lookup("/"+elsewhere+"/M"+name(to)), []string{name(from)})
				if want := from == to || leads[from][to]; got != want {
					t.Errorf("MCP-5: %v: does %s satisfy %s: got %t", implies, name(from), name(to), got)
				}
			}
		}
	})
}
