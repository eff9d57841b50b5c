package connectauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// expiringStream is the response of a stream that outlives its token at most
// until the next message: from then on reads and writes fail, and the stream
// ends with the denial, whatever the handler makes of the errors.
type expiringStream struct {
	http.ResponseWriter

	body           io.ReadCloser
	caller         *drawbridge.Caller
	expiry         interceptor.Expiry
	isClientStream bool // whether there is one response, after the request
	framing        framing
	refused        atomic.Pointer[challenge.DenialError] // set once a message was refused

	envelopes envelopes // those that were written
	ended     bool      // whether the end was written in place of the handler's
}

// streamKey is the context key of an *expiringStream.
type streamKey struct{}

// newExpiringStream begins to follow a stream of a type.
func newExpiringStream(ctx context.Context, w http.ResponseWriter, r *http.Request, caller *drawbridge.Caller, procedure string, streamType connect.StreamType) *expiringStream {
	s := &expiringStream{
		ResponseWriter: w, body: r.Body, caller: caller,
		isClientStream: streamType == connect.StreamTypeClient,
		framing:        framingOf(r.Header.Get("Content-Type")),
	}
	s.expiry.Start(ctx, caller, procedure)
	return s
}

// request returns the request as the handler sees it.
func (s *expiringStream) request(ctx context.Context, r *http.Request) *http.Request {
	r = r.WithContext(context.WithValue(ctx, streamKey{}, s))
	r.Body = (*expiringBody)(s)
	return r
}

// expires reports whether a guard further out ends the stream before the token
// of the caller does.
func expires(ctx context.Context, caller *drawbridge.Caller) bool {
	return expiryOf(ctx, caller) != nil
}

// expiryOf returns the expiry of the stream that a guard further out ends, unless
// the token of the caller expires before. Shared, it is logged once.
func expiryOf(ctx context.Context, caller *drawbridge.Caller) *interceptor.Expiry {
	if s, ok := ctx.Value(streamKey{}).(*expiringStream); ok && s.caller.EndsWith(caller) {
		return &s.expiry
	}
	return nil
}

// Unwrap is for http.ResponseController.
func (s *expiringStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *expiringStream) WriteHeader(status int) {
	s.setStatus()
	s.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher, which connect-go and grpc-go ask for by name.
func (s *expiringStream) Flush() { _ = s.FlushError() }

// FlushError is Flush for http.ResponseController.
func (s *expiringStream) FlushError() error {
	s.setStatus()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// Write refuses an envelope that begins after the token has expired, unless it
// ends the stream.
func (s *expiringStream) Write(data []byte) (int, error) {
	if s.framing.hidden {
		if refusal := s.refuse(s.expiry.Check()); refusal != nil {
			return 0, refusal
		}
		return s.ResponseWriter.Write(data)
	}
	if s.ended {
		return len(data), nil
	}
	after, passes := s.envelopes, 0
	for passes < len(data) {
		if after.atStart() {
			if refusal := s.begin(data[passes]); refusal != nil {
				n, err := s.pass(data[:passes], after)
				if err == nil {
					err = refusal
				}
				return n, err
			}
			if s.ended {
				return len(data), s.writeEnd(data[:passes])
			}
		}
		passes += after.advance(data[passes:])
	}
	return s.pass(data, after)
}

// begin decides about an envelope by its flags.
func (s *expiringStream) begin(flags byte) error {
	if flags&s.framing.end != 0 {
		s.ended = s.refused.Load() != nil
		return nil
	}
	return s.refuse(s.expiry.Check())
}

// pass writes data, after which the envelopes are in the given state.
func (s *expiringStream) pass(data []byte, after envelopes) (int, error) {
	s.setStatus()
	if len(data) == 0 {
		return 0, nil
	}
	n, err := s.ResponseWriter.Write(data)
	if n == len(data) {
		s.envelopes = after
		return n, err
	}
	for rest := data[:max(n, 0)]; len(rest) > 0; {
		rest = rest[s.envelopes.advance(rest):]
	}
	return n, err
}

// writeEnd writes the data before the end, and the end with the denial.
func (s *expiringStream) writeEnd(before []byte) error {
	_, err := s.ResponseWriter.Write(slices.Concat(before, s.framing.endOf(s.refused.Load())))
	return err
}

// setStatus replaces the status of gRPC-Web that stands in the header of a
// response without messages.
func (s *expiringStream) setStatus() {
	if denial := s.refused.Load(); denial != nil && s.framing.protocol == connect.ProtocolGRPCWeb {
		if header := s.Header(); len(header["Grpc-Status"]) > 0 {
			for _, f := range s.framing.fieldsOf(denial) {
				header[f.name] = f.values
			}
		}
	}
}

// finish is called when the handler has returned.
func (s *expiringStream) finish() {
	s.setStatus()
	if denial := s.refused.Load(); denial != nil && s.framing.protocol == connect.ProtocolGRPC {
		for _, f := range s.framing.fieldsOf(denial) {
			s.Header()[http.TrailerPrefix+f.name] = f.values
		}
	}
}

func (s *expiringStream) refuse(denial *challenge.DenialError) error {
	if denial == nil {
		return nil
	}
	s.refused.Store(denial)
	return newErrorOver(s.framing.protocol, denial)
}

// expiringBody is the request of a stream.
type expiringBody expiringStream

// Read waits for data, or the end, first: the token may expire meanwhile.
func (b *expiringBody) Read(data []byte) (int, error) {
	n, err := b.body.Read(data)
	var denial *challenge.DenialError
	switch {
	case n > 0:
		denial = b.expiry.Check()
	case errors.Is(err, io.EOF):
		denial = b.expiry.CheckEnd(b.isClientStream)
	}
	if expired := (*expiringStream)(b).refuse(denial); expired != nil {
		return 0, expired
	}
	return n, err
}

func (b *expiringBody) Close() error { return b.body.Close() }

// envelopes follows the envelopes of a stream: five bytes of prefix, flags and a
// length, and a message of that length.
type envelopes struct {
	prefix [5]byte
	filled int    // how many bytes of prefix are set
	left   uint32 // how many bytes of the message are missing
}

// atStart reports whether the next byte begins an envelope.
func (e *envelopes) atStart() bool { return e.filled == 0 && e.left == 0 }

// advance follows data up to the end of the current envelope at most, and
// returns how many bytes that are. They are none only if data is empty.
func (e *envelopes) advance(data []byte) int {
	n := 0
	if e.left == 0 {
		n = copy(e.prefix[e.filled:], data)
		if e.filled += n; e.filled < len(e.prefix) {
			return n
		}
		e.filled = 0
		e.left = uint32(e.prefix[1])<<24 | uint32(e.prefix[2])<<16 | uint32(e.prefix[3])<<8 | uint32(e.prefix[4])
	}
	message := min(uint64(len(data)-n), uint64(e.left))
	e.left -= uint32(message) //nolint:gosec // It is at most left.
	return n + int(message)   //nolint:gosec // It is at most the length of data.
}

// framing is how a protocol ends a stream.
type framing struct {
	protocol    string
	contentType string
	end         byte // the flag of the envelope that does, 0 if none does
	hidden      bool // the envelopes are encoded, so that nothing may follow
}

// framingOf returns the framing of a stream.
func framingOf(contentType string) framing {
	switch rpc.ProtocolOf(contentType) {
	case rpc.ConnectStream:
		return framing{protocol: connect.ProtocolConnect, contentType: "application/connect+proto", end: 1 << 1}
	case rpc.GRPCWeb:
		text := strings.Contains(strings.ToLower(contentType), "grpc-web-text")
		return framing{protocol: connect.ProtocolGRPCWeb, contentType: "application/grpc-web", end: 1 << 7, hidden: text}
	case rpc.GRPC, rpc.ConnectProto, rpc.ConnectJSON, rpc.None:
	}
	return framing{protocol: connect.ProtocolGRPC, contentType: "application/grpc"}
}

// capture lets connect-go write a response that consists of a denial.
func (f framing) capture(denial *challenge.DenialError) *capture {
	return captureError(f.contentType, newErrorOver(f.protocol, denial), nil)
}

// fieldsOf returns the fields that carry a denial over gRPC and gRPC-Web.
func (f framing) fieldsOf(denial *challenge.DenialError) []field {
	var fields []field
	for name, values := range f.capture(denial).header {
		if name != "Content-Type" && name != "Trailer" {
			fields = append(fields, field{name, values})
		}
	}
	return fields
}

// endOf returns the envelope that ends a stream with a denial.
func (f framing) endOf(denial *challenge.DenialError) []byte {
	if f.protocol == connect.ProtocolConnect {
		return f.capture(denial).body.Bytes()
	}
	var trailers strings.Builder
	for _, field := range f.fieldsOf(denial) {
		for _, value := range field.values {
			trailers.WriteString(strings.ToLower(field.name) + ": " + value + "\r\n")
		}
	}
	n := trailers.Len()
	return append([]byte{f.end, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, trailers.String()...) //nolint:gosec // Its bytes.
}
