package policy_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// elsewhere is a service that no descriptor knows.
const elsewhere = "a.v1.A"

// rules is a policy for the one service elsewhere, with a rule for it and for
// some of its methods.
func rules(rule policy.Rule, methods map[string]policy.Rule) policy.Policy {
	return policy.Policy{Services: map[string]policy.Service{
		elsewhere: {Rule: rule, Methods: methods, Undescribed: true},
	}}
}

func compile(tb testing.TB, p policy.Policy) *policy.Table {
	tb.Helper()
	table, err := policy.Compile(p)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// faultsOf returns the faults that Compile finds, each as it is written.
func faultsOf(tb testing.TB, p policy.Policy) []string {
	tb.Helper()
	table, err := policy.Compile(p)
	if err == nil {
		return nil
	}
	if table != nil {
		tb.Error("RPC-6: a table beside an error")
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		tb.Fatalf("%T does not unwrap to []error", err)
	}
	var faults []string
	for _, each := range joined.Unwrap() {
		var fault *policy.Error
		if !errors.As(each, &fault) {
			tb.Fatalf("%T is not a *policy.Error", each)
		}
		if fault.Where == "" || fault.Reason == "" {
			tb.Errorf("%+v lacks its place or its reason", fault)
		}
		faults = append(faults, fault.Error())
	}
	return faults
}

func readVectors[V any](tb testing.TB, path string) []V {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var vectors []V
	if err := decoder.Decode(&vectors); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return vectors
}
