package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/grpc/metadata"
)

// The surfaces in the report, in its order.
const (
	connectJSON = iota
	connectProto
	connectStream
	grpcByConnect
	grpcWeb
	grpcGo
	plainHandler
	frontHandler
	relayHandler
	mcpCall
	mcpList
	mcpRead
	mcpSession
	expiringStream
	surfaces
)

var surfaceNames = [surfaces]string{
	"Connect JSON", "Connect proto", "Connect stream", "gRPC connect-go", "gRPC-Web", "gRPC grpc-go",
	"HTTP Protect", "HTTP Check", "HTTP relay", "MCP call", "MCP list", "MCP resource", "MCP session", "expiring stream",
}

// weights are how often a worker draws each surface.
var weights = [surfaces]int{
	connectJSON: 3, connectProto: 4, connectStream: 3, grpcByConnect: 4, grpcWeb: 3, grpcGo: 8,
	plainHandler: 4, frontHandler: 2, relayHandler: 1, mcpCall: 3, mcpList: 1, mcpRead: 1, mcpSession: 1,
}

// A request is a call as a client makes it.
type request struct {
	call

	surface int
	slot    int
	service string
	method  string
	expiry  time.Time // of the token, if the stream is to outlive it
}

// header returns what a client sends.
func (r *request) header() http.Header {
	header := http.Header{slotField: {strconv.Itoa(r.slot)}}
	if len(r.credential.values) > 0 {
		header["Authorization"] = r.credential.values
	}
	if !r.expiry.IsZero() {
		header[expiryField] = []string{strconv.FormatInt(r.expiry.UnixNano(), 10)}
	}
	return header
}

// outgoing is header for grpc-go.
func (r *request) outgoing(ctx context.Context) context.Context {
	md := make(metadata.MD)
	for name, values := range r.header() {
		md[strings.ToLower(name)] = values
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// draw returns a request of a surface.
func (w *world) draw(rng *rand.Rand, surface, slot int) *request {
	r := &request{surface: surface, slot: slot, method: methods[rng.IntN(len(methods))]}
	r.credential, r.audience = w.mint.draw(rng), w.origin
	r.service = unaryService
	switch surface {
	case connectStream:
		r.service = rpcServices[1+rng.IntN(3)]
	case grpcByConnect, grpcWeb, grpcGo:
		r.service = rpcServices[rng.IntN(4)]
	default:
	}
	r.procedure = "/" + r.service + "/" + r.method
	r.rule = r.procedure
	switch surface {
	case plainHandler:
		r.rule = filesService
	case frontHandler:
		r.rule, r.further = frontService, checked
	case mcpCall, mcpRead, mcpSession:
		r.rule, r.further, r.audience = toolsService, operation, w.origin+mcpPath
	case mcpList:
		r.rule, r.further, r.audience = toolsService, listed, w.origin+mcpPath
	default:
	}
	return r
}

// drawSurface returns a surface by its weight.
func drawSurface(rng *rand.Rand) int {
	total := 0
	for _, weight := range weights {
		total += weight
	}
	n := rng.IntN(total)
	for surface, weight := range weights {
		if n -= weight; n < 0 {
			return surface
		}
	}
	return connectJSON
}

// The codes of gRPC.
const (
	codeInvalidArgument  = 3
	codePermissionDenied = 7
	codeUnimplemented    = 12
	codeUnavailable      = 14
	codeUnauthenticated  = 16
)

// classify reads an RPC error. The challenges are the details of its status.
func classify(code uint32, challenges []*drawbridgev1.Challenge, err error) verdict {
	if code == codeUnimplemented {
		return verdict{class: notFound}
	}
	if len(challenges) != 1 {
		return verdict{failed, fmt.Sprintf("%d challenges: %v", len(challenges), err)}
	}
	scopes := challenges[0].GetScopes()
	switch kind := challenges[0].GetError(); {
	case code == codeUnauthenticated && kind == "":
		return denied(noCredentials, scopes)
	case code == codeUnauthenticated && kind == "invalid_token":
		return denied(invalidToken, scopes)
	case code == codeInvalidArgument && kind == "invalid_request":
		return denied(invalidRequest, scopes)
	case code == codePermissionDenied && kind == "insufficient_scope":
		return denied(insufficientScope, scopes)
	case code == codeUnavailable && kind == "temporarily_unavailable":
		return verdict{class: unavailable}
	default:
		return verdict{failed, err.Error()}
	}
}

// classifyHTTP reads a denial of HTTP.
func classifyHTTP(status int, header http.Header, body string) verdict {
	fields := header.Values("Www-Authenticate")
	challenge := strings.Join(fields, ", ")
	if len(fields) > 1 {
		return verdict{failed, "two challenges: " + challenge}
	}
	kind := param(challenge, "error")
	scopes := param(challenge, "scope")
	switch {
	case status == http.StatusUnauthorized && len(fields) == 1 && kind == "":
		return verdict{noCredentials, scopes}
	case status == http.StatusUnauthorized && kind == "invalid_token":
		return verdict{invalidToken, scopes}
	case status == http.StatusBadRequest && kind == "invalid_request":
		return verdict{invalidRequest, scopes}
	case status == http.StatusForbidden && kind == "insufficient_scope":
		return verdict{insufficientScope, scopes}
	case status == http.StatusServiceUnavailable && challenge == "":
		return verdict{class: unavailable}
	case status == http.StatusNotFound && challenge == "":
		return verdict{class: notFound}
	default:
		return verdict{failed, strconv.Itoa(status) + " " + challenge + " " + body}
	}
}

// param returns a quoted parameter of a challenge. Its values here have no quotes.
func param(challenge, name string) string {
	_, rest, ok := strings.Cut(challenge, " "+name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
