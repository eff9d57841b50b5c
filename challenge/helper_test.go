package challenge_test

import (
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

const (
	base      = "https://api.example.com"
	wellKnown = "/.well-known/oauth-protected-resource"
)

// The sentences that a caller may read.
const (
	saysNoCredentials  = "an access token is required"
	saysInvalidRequest = "the credentials are malformed"
	saysInvalidToken   = "the access token is malformed, expired, revoked or not from a trusted issuer"
	saysScope          = "the access token lacks a scope that this operation needs"
	saysAuthentication = "a different authentication level is required"
	saysUnavailable    = "the access token cannot be verified right now"
	saysAudience       = "the access token was issued for another resource"
)

func seconds(n int64) *time.Duration { return new(time.Duration(n) * time.Second) }

// full is a challenge with every field.
func full() challenge.Challenge {
	return challenge.Challenge{
		Scheme: "DPoP", Realm: "a.v1.A", ResourceMetadataURL: base + wellKnown,
		Scopes: []string{"b", "a"}, Error: "insufficient_user_authentication", ErrorDescription: "come back stronger",
		ACRValues: []string{"urn:gold", "urn:silver"}, MaxAge: seconds(300), Algs: []string{"ES256", "EdDSA"},
	}
}

// wantSendable fails unless a header is visible ASCII and spaces (R6750-3.c).
func wantSendable(tb testing.TB, header string) {
	tb.Helper()
	for i := range len(header) {
		if header[i] < ' ' || header[i] > '~' {
			tb.Fatalf("%q holds byte %#x", header, header[i])
		}
	}
}
