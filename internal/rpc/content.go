package rpc

import "strings"

// Protocol is the RPC protocol that a content type belongs to.
type Protocol uint8

// The protocols, those of streams last.
const (
	None          Protocol = iota // no RPC message
	ConnectJSON                   // application/json, like any other JSON
	ConnectProto                  // application/proto
	ConnectStream                 // application/connect+…
	GRPC                          // application/grpc and application/grpc+…
	GRPCWeb                       // application/grpc-web…, binary and text
)

// ProtocolOf returns the protocol of a message with the given content type. It
// ignores parameters and case.
func ProtocolOf(contentType string) Protocol {
	switch contentType { // as clients write them
	case "application/json":
		return ConnectJSON
	case "application/proto":
		return ConnectProto
	case "application/connect+json", "application/connect+proto":
		return ConnectStream
	case "application/grpc", "application/grpc+proto":
		return GRPC
	case "application/grpc-web", "application/grpc-web+proto":
		return GRPCWeb
	default:
		return parse(contentType)
	}
}

func parse(contentType string) Protocol {
	base, _, _ := strings.Cut(contentType, ";")
	subtype, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(base)), "application/")
	switch {
	case !ok:
		return None
	case subtype == "json":
		return ConnectJSON
	case subtype == "proto":
		return ConnectProto
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

// IsNative reports whether only an RPC protocol has the content type, which
// excludes JSON. Clients of such a protocol read the status of an RPC from the
// body or the trailers, and report any other HTTP response as "unknown".
func (p Protocol) IsNative() bool { return p > ConnectJSON }

// MayStream reports whether a request of the protocol may be a stream, which for
// gRPC and gRPC-Web depends on the procedure.
func (p Protocol) MayStream() bool { return p > ConnectProto }
