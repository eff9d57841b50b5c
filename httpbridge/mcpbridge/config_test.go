package mcpbridge_test

import (
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestNewReportsEverything: every fault of a configuration is reported at once,
// with its place and value (SEED-8).
func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: newAuthorizer(t, authtest.NewIssuer(t), policy.Rule{})})
	if err != nil {
		t.Fatal(err)
	}
	const noService = "has no rule in the policy, so every request would be denied"
	const noProcedure = "is a procedure without a rule in the policy, so every call would be denied"
	const misspelled = "is a method that the policy does not name, of a service without a descriptor, so it may be misspelled"
	const named = "name it in the Methods of the service"
	const noTemplate = "is neither a URI nor a URI template: "
	const decided = "is decided by the rule of Service or by the other entries, so this one would never be"
	for _, row := range []struct {
		name string
		cfg  mcpbridge.Config
		want []fault.Fault
	}{
		{"the zero Config", mcpbridge.Config{}, []fault.Fault{
			{Place: "mcpbridge: Bridge", Reason: "is required"},
			{Place: "mcpbridge: Tools", Reason: "is empty, and so are Resources, Prompts and Methods, so nothing could be called"},
		}},
		{"nothing but a bridge", mcpbridge.Config{Bridge: bridge}, []fault.Fault{
			{Place: "mcpbridge: Service", Reason: noService},
			{Place: "mcpbridge: Tools", Reason: "is empty, and so are Resources, Prompts and Methods, so nothing could be called"},
		}},
		{"four faults", mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{
			"b": "drawbridge.test.v1.GuardedService/Unary",
			"a": rpctest.Procedure(rpctest.NowhereService, rpctest.Unary),
			"c": rpctest.Procedure(service, rpctest.Unary),
			"d": rpctest.Procedure(service, "Unari"),
		}}, []fault.Fault{
			{Place: "mcpbridge: Service", Value: service, Reason: noService},
			{Place: `mcpbridge: Tools["a"]`, Value: rpctest.Procedure(rpctest.NowhereService, rpctest.Unary), Reason: noProcedure},
			{Place: `mcpbridge: Tools["b"]`, Value: "drawbridge.test.v1.GuardedService/Unary", Reason: noProcedure},
			{Place: `mcpbridge: Tools["d"]`, Value: rpctest.Procedure(service, "Unari"), Reason: noProcedure},
		}},
		{"every kind of entry", mcpbridge.Config{
			Bridge: bridge, Service: rpctest.PublicService,
			Tools: map[string]string{"t": rpctest.Procedure("x.Stock", "Altr")},
			Resources: map[string]string{
				"stock://list":   rpctest.Procedure(service, "Unari"),
				"stock://{sku":   rpctest.Procedure("x.Stock", "Alter"),
				"":               rpctest.Procedure("x.Stock", "Alter"),
				"stock://%zz":    rpctest.Procedure("x.Stock", "Alter"),
				"stock://{-sku}": rpctest.Procedure("x.Stock", "Altr"),
			},
			Prompts: map[string]string{"p": ""},
			Methods: map[string]string{
				"acme/search":    rpctest.Procedure("x.Stock", "Look"),
				"ping":           rpctest.Procedure("x.Stock", "Alter"),
				"tools/list":     rpctest.Procedure("x.Stock", "Alter"),
				"resources/read": rpctest.Procedure("x.Stock", "Alter"),
			},
		}, []fault.Fault{
			{Place: `mcpbridge: Tools["t"]`, Value: "/x.Stock/Altr", Reason: misspelled, Remedy: named},
			{Place: `mcpbridge: Resources["stock://list"]`, Value: rpctest.Procedure(service, "Unari"), Reason: noProcedure},
			{Place: `mcpbridge: Resources["stock://{-sku}"]`, Value: "/x.Stock/Altr", Reason: misspelled, Remedy: named},
			{Place: `mcpbridge: Prompts["p"]`, Reason: noProcedure},
			{Place: `mcpbridge: Methods["acme/search"]`, Value: "/x.Stock/Look", Reason: misspelled, Remedy: named},
			{Place: `mcpbridge: Resources[""]`, Reason: noTemplate + "it is empty"},
			{Place: `mcpbridge: Resources["stock://%zz"]`, Value: "stock://%zz", Reason: noTemplate + `parse "stock://%zz": invalid URL escape "%zz"`},
			{Place: `mcpbridge: Resources["stock://{-sku}"]`, Value: "stock://{-sku}", Reason: noTemplate + "unacceptable variable name: stock://{_"},
			{Place: `mcpbridge: Resources["stock://{sku"]`, Value: "stock://{sku", Reason: noTemplate + "incomplete expression: stock://{sku_"},
			{Place: `mcpbridge: Methods["ping"]`, Value: "ping", Reason: decided},
			{Place: `mcpbridge: Methods["resources/read"]`, Value: "resources/read", Reason: decided},
			{Place: `mcpbridge: Methods["tools/list"]`, Value: "tools/list", Reason: decided},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			guard, err := mcpbridge.New(row.cfg)
			var got []fault.Fault
			for f := range fault.All(err) {
				got = append(got, *f)
			}
			if guard != nil || !slices.Equal(got, row.want) {
				t.Errorf("SEED-8: got %v, %v\nwant %v", guard, got, row.want)
			}
		})
	}
}
