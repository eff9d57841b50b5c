package rpc

import "strings"

// Protocol is the RPC protocol that a content type belongs to.
type Protocol uint8

// The protocols.
const (
	None          Protocol = iota // no RPC message
	ConnectUnary                  // application/json and application/proto
	ConnectStream                 // application/connect+…
	GRPC                          // application/grpc and application/grpc+…
	GRPCWeb                       // application/grpc-web…, binary and text
)

// ProtocolOf returns the protocol of a message with the given content type. It
// ignores parameters and case. Unary Connect with JSON has the content type of
// all JSON; see [IsNative].
func ProtocolOf(contentType string) Protocol {
	base, _, _ := strings.Cut(contentType, ";")
	base = strings.ToLower(strings.TrimSpace(base)) // no allocation for one that is in lower case
	subtype, ok := strings.CutPrefix(base, "application/")
	switch {
	case !ok:
		return None
	case subtype == "json" || subtype == "proto":
		return ConnectUnary
	case strings.HasPrefix(subtype, "connect+"):
		return ConnectStream
	case subtype == "grpc" || strings.HasPrefix(subtype, "grpc+"):
		return GRPC
	case strings.HasPrefix(subtype, "grpc-web"):
		return GRPCWeb
	default:
		return None
	}
}

// IsNative reports whether a content type is used by an RPC protocol alone, which
// excludes JSON. Clients of such a protocol read the status of an RPC from the
// body or the trailers, and report any other HTTP response as "unknown".
func IsNative(contentType string) bool {
	protocol := ProtocolOf(contentType)
	return protocol > ConnectUnary || protocol == ConnectUnary && !isJSON(contentType)
}

func isJSON(contentType string) bool {
	base, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(base), "application/json")
}
