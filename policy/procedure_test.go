package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// procedureVector is an entry of testdata/procedures.json. A Service says that
// the procedure is well-formed. Pad is the length to which the procedure is
// filled up with letters; the method is then the rest.
type procedureVector struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Procedure string `json:"procedure"`
	Pad       int    `json:"pad"`
	Service   string `json:"service"`
	Method    string `json:"method"`
}

func procedureVectors(tb testing.TB) []procedureVector {
	tb.Helper()
	vectors := readVectors[procedureVector](tb, "testdata/procedures.json")
	for i, v := range vectors {
		if v.Pad > 0 {
			v.Procedure += strings.Repeat("x", v.Pad-len(v.Procedure))
			if v.Service != "" {
				v.Method = strings.TrimPrefix(v.Procedure, "/"+v.Service+"/")
			}
			vectors[i] = v
		}
	}
	return vectors
}

// TestParseProcedure also asks a table, in which no rule may be found by a name
// that is not well-formed.
func TestParseProcedure(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {Rule: policy.Rule{Public: true}, Methods: map[string]policy.Rule{"Get": {Public: true}}, Undescribed: true},
		"A":      {Rule: policy.Rule{Public: true}, Undescribed: true},
	}})
	for _, v := range procedureVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			service, method, ok := policy.ParseProcedure(v.Procedure)
			if service != v.Service || method != v.Method || ok != (v.Service != "") {
				t.Errorf("got %q, %q, %t, want %q, %q", service, method, ok, v.Service, v.Method)
			}
			if v.Service == "" && table.Lookup(v.Procedure) != nil {
				t.Error("RPC-6: a rule speaks of it")
			}
		})
	}
}

func TestValidService(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a.v1.A":                        true,
		"A":                             true,
		strings.Repeat("a", 255):        true,
		strings.Repeat("a", 256):        false,
		strings.Repeat("a.", 127) + "a": true,
		strings.Repeat("a.", 128) + "a": false,
		strings.Repeat("a", 512):        false,
		strings.Repeat("a", 1<<20):      false,
		"":                              false,
		".":                             false,
		"a.":                            false,
		".a":                            false,
		"a..b":                          false,
		"a b":                           false,
		"a\r\nX: y":                     false,
		`a"b`:                           false,
		"a/b":                           false,
		"1a":                            false,
		"a.v1.A\x00":                    false,
		"b\u00fccher":                   false,
		"a\xff":                         false,
		"a.v1.A, Basic":                 false,
	} {
		if got := policy.ValidService(name); got != want {
			t.Errorf("ValidService(%.40q): got %t, want %t", name, got, want)
		}
	}
}

var strictProcedure = regexp.MustCompile(`\A/([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)/([A-Za-z_][A-Za-z0-9_]*)\z`)

// FuzzParseProcedure: accepted is exactly what the grammar of protobuf allows,
// and the parts are the whole (RPC-5).
func FuzzParseProcedure(f *testing.F) {
	for _, v := range procedureVectors(f) {
		f.Add(v.Procedure[:min(len(v.Procedure), 600)])
	}
	f.Fuzz(func(t *testing.T, procedure string) {
		service, method, ok := policy.ParseProcedure(procedure)
		want := len(procedure) <= 512 && strictProcedure.MatchString(procedure)
		if ok != want {
			t.Fatalf("%q: got %t, want %t", procedure, ok, want)
		}
		if !ok {
			if service != "" || method != "" {
				t.Errorf("%q: refused, with the parts %q and %q", procedure, service, method)
			}
			return
		}
		if "/"+service+"/"+method != procedure {
			t.Errorf("%q was split into %q and %q", procedure, service, method)
		}
		if got := policy.ValidService(service); got != (len(service) <= 255) {
			t.Errorf("%q: ValidService of the service: got %t", procedure, got)
		}
	})
}
