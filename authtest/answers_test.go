package authtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// The procedures of a service whose responses a test makes up. Get has no side
// effects, and Watch is a stream.
const (
	madeUp   = "authtest.test.v1.MadeUp"
	empty    = "authtest.test.v1.Empty" // has no methods
	getItem  = "/" + madeUp + "/Get"
	watching = "/" + madeUp + "/Watch"
)

func TestMain(m *testing.M) {
	message := "." + string((&wrapperspb.StringValue{}).ProtoReflect().Descriptor().FullName())
	safe := &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new("authtest/test/v1/made_up.proto"),
		Package:    new("authtest.test.v1"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Empty")}, {Name: new("MadeUp"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: new("Get"), InputType: new(message), OutputType: new(message), Options: safe},
			{Name: new("Watch"), InputType: new(message), OutputType: new(message), ServerStreaming: new(true)},
		}}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(fmt.Sprintf("authtest_test: %v", err))
	}
	os.Exit(m.Run())
}

// A response is made up.
type response struct {
	status      int
	contentType string
	header      http.Header
	body        string
	trailer     http.Header
	err         error // in place of a response
	cut         error // at the end of the body
}

// refusal is how every procedure answers whose response is not made up.
var refusal = response{
	status: http.StatusUnauthorized,
	header: http.Header{"Www-Authenticate": {`Bearer resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`}},
}

// madeUpServer answers requests for one procedure and content type with a made-up
// response, and refuses all others. A GET has no content type.
type madeUpServer struct {
	procedure, contentType string
	response               response
}

// RoundTrip implements [http.RoundTripper].
func (s madeUpServer) RoundTrip(r *http.Request) (*http.Response, error) {
	made := refusal
	if r.URL.Path == s.procedure && r.Header.Get("Content-Type") == s.contentType {
		made = s.response
	}
	if made.err != nil {
		return nil, made.err
	}
	header := made.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Content-Type", made.contentType)
	body := io.Reader(strings.NewReader(made.body))
	if made.cut != nil {
		body = io.MultiReader(body, cut{made.cut})
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", made.status, http.StatusText(made.status)),
		StatusCode: made.status,
		Header:     header,
		Body:       io.NopCloser(body),
		Trailer:    made.trailer,
		Request:    r,
	}, nil
}

// cut is the end of a body that breaks off.
type cut struct{ err error }

func (c cut) Read([]byte) (int, error) { return 0, c.err }

// check calls the made-up service at a made-up server.
func (s madeUpServer) check() authtest.AnonymousCheck {
	return authtest.AnonymousCheck{
		URL:      "http://127.0.0.1",
		Services: []string{madeUp},
		Client:   &http.Client{Transport: s},
	}
}

// frame is a message in the framing of gRPC and of Connect's streams.
func frame(flags byte, payload string) string {
	return string([]byte{flags, 0, 0, 0, byte(len(payload))}) + payload
}

func grpcStatus(code string) http.Header { return http.Header{"Grpc-Status": {code}} }

// TestAnswers: each way in which a server may answer, and what is reported about
// it. Nothing is reported about a refusal.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		unary, stream, grpc, grpcWeb = "application/proto", "application/connect+proto", "application/grpc", "application/grpc-web+proto"

		open      = " lets an anonymous call in: "
		strange   = " does not refuse an anonymous call as it should: "
		challenge = "401 Unauthorized without a challenge that has resource_metadata"
	)
	for _, tt := range []struct {
		name        string
		procedure   string
		contentType string
		response    response
		want        string // empty if it is a refusal
	}{
		{"refused", getItem, unary, refusal, ""},
		{"open", getItem, unary, response{status: 200, contentType: unary}, open + "Connect answered 200 OK with a message"},
		{"open to GET", getItem, "", response{status: 200, contentType: unary}, open + "Connect GET answered 200 OK with a message"},
		{"GET is not supported", getItem, "", response{status: 405}, ""},
		{"open with an error", getItem, unary, response{status: 404, contentType: "application/json", body: `{"code":"not_found"}`}, open + "Connect answered 404 Not Found with code not_found"},
		{"refused for another reason", getItem, unary, response{status: 403, contentType: "application/json", body: `{"code":"permission_denied"}`}, open + "Connect answered 403 Forbidden with code permission_denied"},
		{"another page", getItem, unary, response{status: 403, contentType: "text/html", body: "<html>"}, strange + "Connect answered 403 Forbidden"},
		{"redirect to a login", getItem, unary, response{status: 302, header: http.Header{"Location": {"https://login.example.com"}}}, strange + "Connect answered 302 Found"},
		{"no challenge", getItem, unary, response{status: 401}, strange + "Connect answered " + challenge},
		{"challenge without metadata", getItem, unary, response{status: 401, header: http.Header{"Www-Authenticate": {"Bearer"}}}, strange + "Connect answered " + challenge},
		{"second challenge", getItem, unary, response{status: 401, header: http.Header{"Www-Authenticate": {"Basic", refusal.header.Get("Www-Authenticate")}}}, ""},
		{"no response", getItem, unary, response{err: io.ErrUnexpectedEOF}, strange + "Connect answered with a broken response: "},
		{"waits", getItem, unary, response{err: context.DeadlineExceeded}, open + "Connect answered nothing in time"},

		{"stream refused", watching, stream, response{status: 200, contentType: stream, body: frame(2, `{"error":{"code":"unauthenticated"}}`)}, ""},
		{"stream open", watching, stream, response{status: 200, contentType: stream, body: frame(0, "")}, open + "Connect answered 200 OK with a message"},
		{"stream open with a compressed message", watching, stream, response{status: 200, contentType: stream, body: frame(1, "abc")}, open + "Connect answered 200 OK with a message"},
		{"stream open, then an error", watching, stream, response{status: 200, contentType: stream, body: frame(0, "") + frame(2, `{"error":{"code":"unauthenticated"}}`)}, open + "Connect answered 200 OK with a message"},
		{"stream without messages", watching, stream, response{status: 200, contentType: stream, body: frame(2, `{}`)}, open + "Connect answered 200 OK with status ok"},
		{"stream with another error", watching, stream, response{status: 200, contentType: stream, body: frame(2, `{"error":{"code":"internal"}}`)}, open + "Connect answered 200 OK with status internal"},
		{"stream ends with nonsense", watching, stream, response{status: 200, contentType: stream, body: frame(2, `{`)}, strange + "Connect answered with a broken response: "},
		{"stream is cut", watching, stream, response{status: 200, contentType: stream, body: frame(0, "abc")[:6]}, strange + "Connect answered with a broken response: unexpected EOF"},
		{"stream is empty", watching, stream, response{status: 200, contentType: stream}, strange + "Connect answered with a broken response: EOF"},
		{"stream waits", watching, stream, response{status: 200, contentType: stream, cut: context.DeadlineExceeded}, open + "Connect answered nothing in time"},

		{"gRPC refused in the header", getItem, grpc, response{status: 200, contentType: grpc, header: grpcStatus("16")}, ""},
		{"gRPC refused in the trailer", watching, grpc, response{status: 200, contentType: grpc + "+proto", trailer: grpcStatus("16")}, ""},
		{"gRPC open", getItem, grpc, response{status: 200, contentType: grpc, body: frame(0, ""), trailer: grpcStatus("0")}, open + "gRPC answered 200 OK with a message"},
		{"gRPC open with an error", getItem, grpc, response{status: 200, contentType: grpc, trailer: http.Header{"Grpc-Status": {"5"}, "Grpc-Message": {"no such item"}}}, open + `gRPC answered 200 OK with status 5 "no such item"`},
		{"gRPC without a status", getItem, grpc, response{status: 200, contentType: grpc}, strange + `gRPC answered with a broken response: its gRPC status is ""`},
		{"gRPC with nonsense", getItem, grpc, response{status: 200, contentType: grpc, header: grpcStatus("16x")}, strange + `gRPC answered with a broken response: its gRPC status is "16x"`},
		{"gRPC with another page", getItem, grpc, response{status: 200, contentType: "text/html"}, ""},

		{"gRPC-Web refused in the header", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, header: grpcStatus("16")}, ""},
		{"gRPC-Web refused in the body", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0x80, "grpc-status: 16\r\n")}, ""},
		{"gRPC-Web open", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0, "")}, open + "gRPC-Web answered 200 OK with a message"},
		{"gRPC-Web open with a compressed message", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(1, "abc")}, open + "gRPC-Web answered 200 OK with a message"},
		{"gRPC-Web breaks off after its status", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0x80, "grpc-status: 16\r\ngrpc-mess")}, strange + "gRPC-Web answered with a broken response: "},
		{"gRPC-Web open with an error", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0x80, "grpc-status: 7\r\n")}, open + "gRPC-Web answered 200 OK with status 7"},
		{"gRPC-Web ends with nonsense", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0x80, "grpc-status")}, strange + "gRPC-Web answered with a broken response: "},
		{"gRPC-Web without a status", getItem, grpcWeb, response{status: 200, contentType: grpcWeb, body: frame(0x80, "")}, strange + `gRPC-Web answered with a broken response: its gRPC status is ""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := madeUpServer{tt.procedure, tt.contentType, tt.response}
			got := errorsOf(t, server.check())
			if tt.want == "" {
				expect(t, got)
				return
			}
			expect(t, got, tt.procedure+tt.want)
		})
	}
}

// FuzzAnswers: whatever a server answers, the check ends, and takes for a refusal
// only what holds a mark of one.
func FuzzAnswers(f *testing.F) {
	contentTypes := []string{"application/proto", "application/connect+proto", "application/grpc", "application/grpc-web+proto"}
	for i, contentType := range contentTypes {
		f.Add(uint8(i), 200, contentType, "", "", "16")
		f.Add(uint8(i), 401, contentType, refusal.header.Get("Www-Authenticate"), "", "")
		f.Add(uint8(i), 404, "application/json", "", `{"code":"not_found"}`, "12")
		f.Add(uint8(i), 200, contentType, "", frame(2, `{"error":{"code":"unauthenticated"}}`), "")
		f.Add(uint8(i), 200, contentType, "", frame(0x80, "grpc-status: 16\r\n"), "")
	}
	f.Fuzz(func(t *testing.T, asked uint8, status int, contentType, challenge, body, trailer string) {
		made := response{
			status: status, contentType: contentType, body: body,
			header: http.Header{"Www-Authenticate": {challenge}}, trailer: grpcStatus(trailer),
		}
		contentTypeAsked := contentTypes[int(asked)%len(contentTypes)]
		reported := 0
		for _, procedure := range []string{getItem, watching} {
			reported += len(errorsOf(t, madeUpServer{procedure, contentTypeAsked, made}.check()))
		}
		isMarked := strings.Contains(challenge, "resource_metadata=") || trailer != "" || strings.ContainsAny(body, "1u")
		isElse := slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusHTTPVersionNotSupported}, status) ||
			status == http.StatusOK && !strings.HasPrefix(contentType, strings.TrimSuffix(contentTypeAsked, "+proto"))
		if reported == 0 && !isMarked && !isElse {
			t.Errorf("%+v passed for a refusal", made)
		}
	})
}
