package challenge

import (
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// Limits for a Challenge that came over the wire. Values beyond them are left
// out.
const (
	maxWireValues = 64
	maxWireValue  = 256
	maxWireURL    = 2048
)

// FromProto returns the denial that a server sent as the google.rpc.Code of a
// status and its detail, which may be nil. Most callers want FromError of
// connectauth or grpcauth, which finds the detail in an error of the framework.
//
// FromProto keeps the server's requirements and replaces its text: a description
// that this package does not know becomes the message of the reason. It leaves
// out malformed values.
func FromProto(code uint32, detail *drawbridgev1.Challenge) *DenialError {
	reason := reasonOf(code, detail)
	e := &DenialError{Reason: reason, Remote: true, Challenge: Challenge{
		Scheme:    Bearer,
		Scopes:    wireValues(detail.GetScopes()),
		ACRValues: wireValues(detail.GetAcrValues()),
		Algs:      wireValues(detail.GetDpopAlgs()),
	}}
	if strings.EqualFold(detail.GetScheme(), DPoP) {
		e.Challenge.Scheme = DPoP
	}
	if realm := detail.GetRealm(); rpc.ValidService(realm) {
		e.Challenge.Realm = realm
	}
	if _, fault := uri.ParseIdentifier(detail.GetResourceMetadata()); fault == "" && len(detail.GetResourceMetadata()) <= maxWireURL {
		e.Challenge.ResourceMetadataURL = detail.GetResourceMetadata()
	}
	if e.Challenge.Error = wireError(reason, detail.GetError()); e.Challenge.Error != "" {
		e.Challenge.ErrorDescription = wireSentence(reason, detail.GetErrorDescription())
	}
	if detail != nil && detail.MaxAge != nil {
		e.Challenge.MaxAge = durationOf(detail.GetMaxAge())
	}
	if reason == ReasonUnavailable {
		e.RetryAfter = RetryAfter
	}
	return e
}

// reasonOf returns the reason of a denial that came over the wire. The code
// decides; among reasons with one code, the error and the scopes do.
func reasonOf(code uint32, detail *drawbridgev1.Challenge) Reason {
	switch {
	case code == ReasonNoCredentials.RPCCode() && detail.GetError() == "":
		return ReasonNoCredentials
	case code == ReasonInsufficientAuthentication.RPCCode() && detail.GetError() == ReasonInsufficientAuthentication.OAuthError():
		return ReasonInsufficientAuthentication
	case code == ReasonForbidden.RPCCode() && detail.GetError() == "" && len(wireValues(detail.GetScopes())) == 0:
		// As a challenge it would have the client step up again and again.
		return ReasonForbidden
	}
	for _, reason := range []Reason{ReasonInvalidRequest, ReasonInvalidToken, ReasonInsufficientScope, ReasonNotFound, ReasonUnavailable} {
		if reason.RPCCode() == code {
			return reason
		}
	}
	return ReasonInternal
}

// wireError returns code if it has the form of an OAuth error code or is empty,
// and the error code of the reason otherwise. There are more OAuth error codes
// than reasons, such as those of RFC 9449.
func wireError(reason Reason, code string) string {
	odd := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	if len(code) > maxWireValue || strings.ContainsFunc(code, odd) {
		return reason.OAuthError()
	}
	return code
}

// wireSentence returns sentence if it is one of this package, and the message of
// the reason otherwise (RPC-7).
func wireSentence(reason Reason, sentence string) string {
	for i := range reasons {
		if sentence == reasons[i].message {
			return sentence
		}
	}
	if sentence == WrongAudience || sentence == AmbiguousPath {
		return sentence
	}
	return reason.Message()
}

// wireValues returns the well-formed values, up to the limits.
func wireValues(values []string) []string {
	var usable []string
	for _, value := range values[:min(len(values), maxWireValues)] {
		if len(value) <= maxWireValue && wwwauth.ValidScopeToken(value) {
			usable = append(usable, value)
		}
	}
	return slices.Clip(usable)
}
