package interceptor

import (
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// What is taken from a Challenge that came over the wire. More than that is no
// challenge that a client could use.
const (
	maxWireValues = 64
	maxWireValue  = 256
	maxWireURL    = 2048
)

// FromWire returns the denial that a backend sent: the google.rpc.Code of its
// status, and the detail, which may be nil. It is for adapters; users call
// FromError of connectauth or grpcauth.
//
// A backend is believed what it asks for, and not the words it says it in:
// sentences are replaced by ours, and what is malformed is left out.
func FromWire(code uint32, detail *drawbridgev1.Challenge) *ChallengeError {
	kind := kindOnWire(code, detail)
	e := &ChallengeError{Kind: kind, Challenge: Challenge{
		Scheme:    schemeBearer,
		Scopes:    wireValues(detail.GetScopes()),
		ACRValues: wireValues(detail.GetAcrValues()),
		Algs:      wireValues(detail.GetDpopAlgs()),
	}}
	if strings.EqualFold(detail.GetScheme(), schemeDPoP) {
		e.Challenge.Scheme = schemeDPoP
	}
	if realm := detail.GetRealm(); policy.ValidService(realm) {
		e.Challenge.Realm = realm
	}
	if _, reason := parseIdentifier(detail.GetResourceMetadata()); reason == "" && len(detail.GetResourceMetadata()) <= maxWireURL {
		e.Challenge.ResourceMetadata = detail.GetResourceMetadata()
	}
	if e.Challenge.Error = wireError(kind, detail.GetError()); e.Challenge.Error != "" {
		e.Challenge.ErrorDescription = wireSentence(kind, detail.GetErrorDescription())
	}
	if detail != nil && detail.MaxAge != nil {
		const longest = int64(1<<63-1) / int64(time.Second)
		e.Challenge.MaxAge = new(time.Duration(min(max(detail.GetMaxAge(), 0), longest)) * time.Second)
	}
	if kind == KindUnavailable {
		e.RetryAfter = retryAfter
	}
	return e
}

// kindOnWire returns the kind of a denial that came over the wire. The code
// decides; among those with one code, whether there is an error.
func kindOnWire(code uint32, detail *drawbridgev1.Challenge) Kind {
	if code == KindNoCredentials.RPCCode() && detail.GetError() == "" {
		return KindNoCredentials
	}
	for _, k := range []Kind{KindInvalidRequest, KindInvalidToken, KindInsufficientScope, KindNotFound, KindUnavailable} {
		if k.RPCCode() == code {
			return k
		}
	}
	return KindInternal
}

// wireError returns an OAuth error code as it is if it looks like one, or is
// empty. There are more of them than the kinds know, such as those of RFC 9470.
func wireError(kind Kind, code string) string {
	odd := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	if len(code) > maxWireValue || strings.ContainsFunc(code, odd) {
		return kinds[kind].oauth
	}
	return code
}

// wireSentence returns a sentence if it is one of ours (RPC-7).
func wireSentence(kind Kind, sentence string) string {
	for _, k := range &kinds {
		if sentence == k.message {
			return sentence
		}
	}
	if sentence == wrongAudience || sentence == ambiguousPath {
		return sentence
	}
	return kinds[kind].message
}

func wireValues(values []string) []string {
	var usable []string
	for _, value := range values[:min(len(values), maxWireValues)] {
		if len(value) <= maxWireValue && wwwauth.ValidScopeToken(value) {
			usable = append(usable, value)
		}
	}
	return slices.Clip(usable)
}
