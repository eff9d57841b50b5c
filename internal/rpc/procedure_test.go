package rpc_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// procedureVector is an entry of testdata/procedures.json. A Service means that
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
	all := vectors.Read[procedureVector](tb, "testdata/procedures.json")
	for i, v := range all {
		if v.Pad > 0 {
			v.Procedure += strings.Repeat("x", v.Pad-len(v.Procedure))
			if v.Service != "" {
				v.Method = strings.TrimPrefix(v.Procedure, "/"+v.Service+"/")
			}
			all[i] = v
		}
	}
	return all
}

func TestParseProcedure(t *testing.T) {
	t.Parallel()
	for _, v := range procedureVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			service, method, ok := rpc.ParseProcedure(v.Procedure)
			if service != v.Service || method != v.Method || ok != (v.Service != "") {
				t.Errorf("got %q, %q, %t, want %q, %q", service, method, ok, v.Service, v.Method)
			}
		})
	}
}

// TestCutProcedure: the method is checked, and the service is whatever stands
// before it.
func TestCutProcedure(t *testing.T) {
	t.Parallel()
	for procedure, want := range map[string]string{
		"/a.v1.A/Get":                          "a.v1.A Get",
		"/a/b/Get":                             "a/b Get",
		"//a.v1.A/Get":                         "/a.v1.A Get",
		"/a..b/_0":                             "a..b _0",
		"/ /Get":                               "  Get",
		"/a.v1.A/0Get":                         "",
		"/a.v1.A/":                             "",
		"/a.v1.A/Get/":                         "",
		"/a.v1.A/G.et":                         "",
		"/a.v1.A/Get ":                         "",
		"/a.v1.A/G\u00e9t":                     "",
		"/a.v1.A":                              "",
		"/Get":                                 "",
		"//Get":                                "",
		"/":                                    "",
		"":                                     "",
		"a.v1.A/Get":                           "",
		"Get":                                  "",
		"/a/" + strings.Repeat("x", 512-3):     "a " + strings.Repeat("x", 512-3),
		"/a/" + strings.Repeat("x", 512-2):     "",
		"/a.v1.A/Get" + strings.Repeat(" ", 8): "",
	} {
		if procedure == "//Get" {
			want = " Get" // An empty service is in no table.
		}
		service, method, ok := rpc.CutProcedure(procedure)
		if got := service + " " + method; ok && got != want || ok != (want != "") || !ok && got != " " {
			t.Errorf("RPC-5: %.40q: got %.40q, %t, want %.40q", procedure, got, ok, want)
		}
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
		"a.1b":                          false,
		"a.v1.A\x00":                    false,
		"b\u00fccher":                   false,
		"a\xff":                         false,
		"a.v1.A, Basic":                 false,
	} {
		if got := rpc.ValidService(name); got != want {
			t.Errorf("RPC-5: ValidService(%.40q): got %t, want %t", name, got, want)
		}
	}
}

func TestValidMethod(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Get": true, "_": true, "g0": true, "_0_": true, "Z": true, "z": true,
		"": false, "0": false, "0g": false, "a.b": false, "a/b": false, "a-b": false, "a\t": false, "@": false, "[": false, "`": false, "{": false,
		"\u00e9": false, "a\x00": false, "/a.v1.A/Get": false,
	} {
		if got := rpc.ValidMethod(name); got != want {
			t.Errorf("RPC-5: ValidMethod(%q): got %t, want %t", name, got, want)
		}
	}
}

func TestProcedureAllocations(t *testing.T) {
	for name, run := range map[string]func(){
		"ParseProcedure":            func() { rpc.ParseProcedure("/a.v1.A/Get") },
		"ParseProcedure, malformed": func() { rpc.ParseProcedure("//a.v1.A/Get") },
		"CutProcedure":              func() { rpc.CutProcedure("/a.v1.A/Get") },
		"ProtocolOf":                func() { rpc.ProtocolOf("application/grpc+proto; charset=utf-8") },
		"ProtocolOf something else": func() { rpc.ProtocolOf("text/event-stream") },
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}

var strictProcedure = regexp.MustCompile(`\A/([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)/([A-Za-z_][A-Za-z0-9_]*)\z`)

// FuzzParseProcedure: exactly what the grammar of protobuf allows is accepted,
// up to a length, and the parts are the whole (RPC-5).
func FuzzParseProcedure(f *testing.F) {
	for _, v := range procedureVectors(f) {
		f.Add(v.Procedure[:min(len(v.Procedure), 600)])
	}
	f.Fuzz(func(t *testing.T, procedure string) {
		service, method, ok := rpc.ParseProcedure(procedure)
		parts := strictProcedure.FindStringSubmatch(procedure)
		want := len(procedure) <= 512 && parts != nil && len(parts[1]) <= 255
		if ok != want {
			t.Fatalf("%q: got %t, want %t", procedure, ok, want)
		}
		if !ok {
			if service != "" || method != "" {
				t.Errorf("%q: refused, with the parts %q and %q", procedure, service, method)
			}
			return
		}
		if service != parts[1] || method != parts[2] {
			t.Errorf("%q was split into %q and %q", procedure, service, method)
		}
		if !rpc.ValidService(service) || !rpc.ValidMethod(method) {
			t.Errorf("%q: its parts are not valid by themselves", procedure)
		}
		if s, m, ok := rpc.CutProcedure(procedure); !ok || s != service || m != method {
			t.Errorf("%q: CutProcedure got %q, %q, %t", procedure, s, m, ok)
		}
	})
}
