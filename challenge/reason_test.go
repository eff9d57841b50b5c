package challenge_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// reasons are all reasons, with everything that each determines (MCP-2, RPC-2,
// R6750-3.1.b).
var reasons = []struct {
	reason     challenge.Reason
	name       string
	status     int
	code       uint32 // google.rpc.Code
	oauth      string
	challenges bool
	sentence   string
}{
	{challenge.ReasonInternal, "internal", 500, 13, "server_error", false, "internal error"},
	{challenge.ReasonNoCredentials, "no_credentials", 401, 16, "", true, saysNoCredentials},
	{challenge.ReasonInvalidRequest, "invalid_request", 400, 3, "invalid_request", true, saysInvalidRequest},
	{challenge.ReasonInvalidToken, "invalid_token", 401, 16, "invalid_token", true, saysInvalidToken},
	{challenge.ReasonInsufficientScope, "insufficient_scope", 403, 7, "insufficient_scope", true, saysScope},
	{challenge.ReasonInsufficientAuthentication, "insufficient_user_authentication", 401, 16, "insufficient_user_authentication", true, saysAuthentication},
	{challenge.ReasonNotFound, "not_found", 404, 12, "", false, "no such service or method"},
	{challenge.ReasonUnavailable, "unavailable", 503, 14, "temporarily_unavailable", false, saysUnavailable},
	{challenge.ReasonForbidden, "forbidden", 403, 7, "", false, "the caller is not allowed to do this"},
	{challenge.ReasonForbiddenOrigin, "forbidden_origin", 403, 7, "", false, "requests from this origin are not allowed"},
	{challenge.Reason(challenge.Reasons), "internal", 500, 13, "server_error", false, "internal error"},
	{challenge.Reason(255), "internal", 500, 13, "server_error", false, "internal error"},
}

func TestReason(t *testing.T) {
	t.Parallel()
	if valid := len(reasons) - 2; valid != challenge.Reasons {
		t.Fatalf("the table has %d of %d reasons", valid, challenge.Reasons)
	}
	for i, tt := range reasons {
		r := tt.reason
		if i < challenge.Reasons && int(r) != i {
			t.Errorf("%v is in row %d", r, i)
		}
		if r.String() != tt.name || r.HTTPStatus() != tt.status || r.RPCCode() != tt.code || r.OAuthError() != tt.oauth || r.Challenges() != tt.challenges || r.Message() != tt.sentence {
			t.Errorf("%d: got %v, HTTP %d, RPC %d, %q, challenges %t, %q, want %+v", r, r, r.HTTPStatus(), r.RPCCode(), r.OAuthError(), r.Challenges(), r.Message(), tt)
		}
		// R9110-11.d: every 401 carries a challenge.
		if r.HTTPStatus() == 401 && !r.Challenges() {
			t.Errorf("R9110-11.d: %v has none", r)
		}
	}
	if zero := new(challenge.DenialError); zero.Reason != challenge.ReasonInternal {
		t.Errorf("the zero denial is %v", zero.Reason)
	}
}

// TestScopesMakeAReason: permission_denied without an error is one that a token can
// mend, if it asks for scopes (MCP-2, RPC-2).
func TestScopesMakeAReason(t *testing.T) {
	t.Parallel()
	for want, scopes := range map[challenge.Reason][]string{
		challenge.ReasonInsufficientScope: {"a b", "a"},
		challenge.ReasonForbidden:         {"a b", ""},
	} {
		if got := challenge.FromProto(7, &drawbridgev1.Challenge{Scopes: scopes}).Reason; got != want {
			t.Errorf("MCP-2: %q: got %v, want %v", scopes, got, want)
		}
	}
}

// TestReasonOnWire: the code determines the reason, together with the error where
// several reasons have one code.
func TestReasonOnWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code  uint32
		oauth string
		want  challenge.Reason
	}{
		{16, "", challenge.ReasonNoCredentials},
		{16, "invalid_token", challenge.ReasonInvalidToken},
		{16, "insufficient_user_authentication", challenge.ReasonInsufficientAuthentication},
		{16, "temporarily_unavailable", challenge.ReasonInvalidToken},
		{16, "use_dpop_nonce", challenge.ReasonInvalidToken},
		{3, "invalid_request", challenge.ReasonInvalidRequest},
		{3, "", challenge.ReasonInvalidRequest},
		{7, "insufficient_scope", challenge.ReasonInsufficientScope},
		{7, "", challenge.ReasonForbidden},
		{7, "invalid_token", challenge.ReasonInsufficientScope},
		{7, "insufficient_user_authentication", challenge.ReasonInsufficientScope},
		{12, "", challenge.ReasonNotFound},
		{5, "", challenge.ReasonInternal},
		{14, "temporarily_unavailable", challenge.ReasonUnavailable},
		{14, "invalid_token", challenge.ReasonUnavailable},
		{13, "server_error", challenge.ReasonInternal},
		{0, "", challenge.ReasonInternal},
		{2, "", challenge.ReasonInternal},
		{1 << 31, "invalid_token", challenge.ReasonInternal},
	} {
		denial := challenge.FromProto(tt.code, &drawbridgev1.Challenge{Scheme: "Bearer", Error: tt.oauth})
		if denial.Reason != tt.want {
			t.Errorf("RPC-2: code %d with %q: got %v, want %v", tt.code, tt.oauth, denial.Reason, tt.want)
		}
		if (denial.RetryAfter > 0) != (tt.want == challenge.ReasonUnavailable) {
			t.Errorf("RPC-2: code %d: RetryAfter is %v", tt.code, denial.RetryAfter)
		}
		if keepsForm(denial) || denial.Unwrap() != nil || !denial.Remote {
			t.Errorf("SEED-7: code %d: keeps forms %t, cause %v, remote %t", tt.code, keepsForm(denial), denial.Cause, denial.Remote)
		}
	}
}

// TestDenialOverWire: a denial that is made here, sent, and read again has the
// same reason, sentence and header (RPC-3).
func TestDenialOverWire(t *testing.T) {
	t.Parallel()
	for _, reason := range []challenge.Reason{
		challenge.ReasonNoCredentials, challenge.ReasonInvalidRequest, challenge.ReasonInvalidToken, challenge.ReasonInsufficientScope,
		challenge.ReasonInsufficientAuthentication, challenge.ReasonNotFound, challenge.ReasonUnavailable, challenge.ReasonInternal,
	} {
		denial := challenge.NewDenial(reason, nil)
		denial.Challenge.Realm, denial.Challenge.ResourceMetadataURL = "a.v1.A", base+wellKnown
		again := challenge.FromProto(reason.RPCCode(), denial.Challenge.Proto())
		if again.Reason != reason || again.Error() != denial.Error() || again.Challenge.Header() != denial.Challenge.Header() || again.RetryAfter != denial.RetryAfter {
			t.Errorf("RPC-3: %v became %v: %s", reason, again.Reason, again.Challenge.Header())
		}
	}
}
