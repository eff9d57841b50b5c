package interceptor_test

import (
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// A server sends the details of a denial in the status of its framework, and a
// client finds the denial in the status that it received.
func ExampleFindDenial() {
	denial := challenge.NewDenial(challenge.ReasonInsufficientScope, nil)
	denial.Challenge.Scopes = []string{"shop:write"}
	code, details := denial.Reason.RPCCode(), interceptor.Details(denial)

	received := errors.New("rpc error: code = PermissionDenied")
	found, ok := interceptor.FindDenial(received, code, details)
	fmt.Println(ok, found.Reason, found.Challenge.Scopes, found.Remote)
	// Output:
	// true insufficient_scope [shop:write] true
}
