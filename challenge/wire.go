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
	maxWireValues = 64 // of a list
	maxWireValue  = 256
	maxWireURL    = 2048
	// maxWireHeader is the length of the longest header. Together with the scopes
	// that a bridge adds, it stays below 4 KiB.
	maxWireHeader = 3 << 10
)

// FromProto returns the denial that a server sent as the google.rpc.Code of a
// status and its detail, which may be nil. Most callers want FromError of
// connectauth or grpcauth, which finds the detail in an error of the framework.
//
// FromProto keeps the server's requirements and replaces its text: a description
// that this package does not know for the error becomes the message of the error. It
// leaves out malformed values, and those with which the header would be longer than
// 3 KiB: first algorithms, then authentication context classes, then scopes.
func FromProto(code uint32, detail *drawbridgev1.Challenge) *DenialError {
	reason := reasonOf(code, detail)
	e := &DenialError{Reason: reason, Remote: true, Challenge: Challenge{Scheme: Bearer}}
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
		e.Challenge.ErrorDescription = wireSentence(reason, e.Challenge.Error, detail.GetErrorDescription())
	}
	if detail != nil && detail.MaxAge != nil {
		e.Challenge.MaxAge = durationOf(detail.GetMaxAge())
	}
	left := maxWireHeader - len(e.Challenge.Header())
	e.Challenge.Scopes = wireValues(detail.GetScopes(), "scope", &left)
	e.Challenge.ACRValues = wireValues(detail.GetAcrValues(), "acr_values", &left)
	if e.Challenge.Scheme == Bearer {
		left -= len(", ") + len(e.Challenge.Header()) // With algorithms, everything is written twice.
	}
	e.Challenge.Algs = wireValues(detail.GetDpopAlgs(), "algs", &left)
	if nonce := detail.GetDpopNonce(); isWireValue(nonce) {
		e.Challenge.Nonce = nonce
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
	case code == ReasonForbidden.RPCCode() && detail.GetError() == "" && !slices.ContainsFunc(firstOf(detail.GetScopes()), isWireValue):
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

// wireSentence returns sentence if this package has it for the reason, and that of
// the error code otherwise (RPC-7).
func wireSentence(reason Reason, oauth, sentence string) string {
	if reason == ReasonInvalidToken && sentence == WrongAudience || reason == ReasonInvalidRequest && sentence == AmbiguousPath {
		return sentence
	}
	return reason.sentence(oauth)
}

// wireValues returns the well-formed values, up to the limits. From left it
// subtracts the bytes that the list takes in a header.
func wireValues(values []string, parameter string, left *int) []string {
	var usable []string
	length := len(parameter) + len(`, =""`) - len(" ")
	for _, value := range firstOf(values) {
		if further := len(" ") + len(value); isWireValue(value) && length+further <= *left {
			usable = append(usable, value)
			length += further
		}
	}
	if usable != nil {
		*left -= length
	}
	return slices.Clip(usable)
}

// firstOf returns the elements of a list that are looked at.
func firstOf(values []string) []string { return values[:min(len(values), maxWireValues)] }

// isWireValue reports whether an element of a list is well-formed.
func isWireValue(value string) bool {
	return len(value) <= maxWireValue && wwwauth.ValidScopeToken(value)
}
