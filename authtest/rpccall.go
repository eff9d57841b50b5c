package authtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// The status codes of gRPC that matter here.
const (
	grpcUnimplemented   = "12"
	grpcUnauthenticated = "16"
)

// emptyMessage is an empty message in the framing that gRPC, gRPC-Web and
// Connect's streams share: a byte of flags, and a length of four bytes.
const emptyMessage = "\x00\x00\x00\x00\x00"

// A framing is a protocol in which a method is called.
type framing struct {
	protocol string
	request  request // without the procedure
	// read returns the status of a response of HTTP status 200 with a content type
	// of the protocol.
	read func(*http.Response) (status, error)
	// contentType is the prefix of the content type of responses.
	contentType string
}

// A status is that of an RPC: its code, with gRPC's number for gRPC, and a
// message. The code is empty if a message of the method came first.
type status struct{ code, message string }

var (
	connectPost = framing{
		"Connect", post("application/proto", "", "Connect-Protocol-Version", "1"), readConnectUnary, "application/proto",
	}
	connectGet = framing{
		"Connect GET", request{method: http.MethodGet, path: "?connect=v1&encoding=proto&message="}, readConnectUnary, "application/proto",
	}
	connectStream = framing{
		"Connect", post("application/connect+proto", emptyMessage, "Connect-Protocol-Version", "1"), readConnectStream, "application/connect",
	}
	grpcCall = framing{
		"gRPC", post("application/grpc", emptyMessage, "Te", "trailers"), readGRPC, "application/grpc",
	}
	grpcWebCall = framing{
		"gRPC-Web", post("application/grpc-web+proto", emptyMessage, "X-Grpc-Web", "1"), readGRPCWeb, "application/grpc-web",
	}
)

func post(contentType, body, field, value string) request {
	return request{
		method: http.MethodPost,
		header: http.Header{"Content-Type": {contentType}, field: {value}},
		body:   body,
	}
}

func (m method) framings() []framing {
	switch {
	case m.isStream:
		return []framing{connectStream, grpcCall, grpcWebCall}
	case m.isSafe:
		return []framing{connectPost, connectGet, grpcCall, grpcWebCall}
	default:
		return []framing{connectPost, grpcCall, grpcWebCall}
	}
}

// call calls a method in every framing.
func (p *prober) call(ctx context.Context, m method) answers {
	var all answers
	for _, f := range m.framings() {
		req := f.request
		req.path = m.procedure + req.path
		req.header = req.header.Clone()
		var got answer
		if err := p.send(ctx, req, func(response *http.Response) { got = f.interpret(response) }); err != nil {
			got = failure(err)
		}
		got.protocol = f.protocol
		all = append(all, got)
	}
	return all
}

// failure is the answer of a request that has no response, or whose response
// ends too early.
func failure(err error) answer {
	if errors.Is(err, context.DeadlineExceeded) {
		return answer{verdict: open, text: "nothing in time, so it waits for something"}
	}
	return answer{verdict: strange, text: "with a broken response: " + err.Error()}
}

// interpret returns what a response means.
func (f framing) interpret(response *http.Response) answer {
	switch response.StatusCode {
	case http.StatusOK:
		if !strings.HasPrefix(response.Header.Get("Content-Type"), f.contentType) {
			return answer{verdict: absent, text: fmt.Sprintf("%s with content type %q", response.Status, response.Header.Get("Content-Type"))}
		}
		got, err := f.read(response)
		if err != nil {
			return failure(err)
		}
		return got.answer(response)
	case http.StatusUnauthorized:
		return challenged(response)
	case http.StatusHTTPVersionNotSupported:
		return answer{verdict: unsupported, text: response.Status}
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return answer{verdict: absent, text: response.Status}
	}
	if code := connectCode(response); code != "" {
		return answer{verdict: open, text: response.Status + " with code " + code}
	}
	if response.StatusCode == http.StatusNotFound {
		return answer{verdict: absent, text: response.Status}
	}
	return answer{verdict: strange, text: response.Status}
}

// challenged returns the answer for a response of HTTP status 401.
func challenged(response *http.Response) answer {
	for _, value := range response.Header.Values("WWW-Authenticate") {
		if strings.Contains(value, "resource_metadata=") {
			return answer{verdict: refused, text: response.Status}
		}
	}
	return answer{verdict: strange, text: response.Status + " without a challenge that has resource_metadata"}
}

// answer returns what a status means.
func (s status) answer(response *http.Response) answer {
	if s.code == "" {
		return answer{verdict: open, text: response.Status + " with a message"}
	}
	text := fmt.Sprintf("%s with status %s", response.Status, s.code)
	if s.message != "" {
		text += fmt.Sprintf(" %q", s.message)
	}
	switch {
	case s.code == grpcUnauthenticated, s.code == "unauthenticated":
		return answer{verdict: refused, text: text}
	case s.code == grpcUnimplemented && isUnknownToGRPC(s.message):
		return answer{verdict: absent, text: text}
	default:
		return answer{verdict: open, text: text}
	}
}

// isUnknownToGRPC reports whether a message is that of grpc-go for what is not
// registered. Other servers, and a registered method without implementation, use
// others.
func isUnknownToGRPC(message string) bool {
	return strings.HasPrefix(message, "unknown service ") || strings.HasPrefix(message, "unknown method ")
}

// connectCode returns the code of an error of unary Connect, which is JSON with a
// member "code", or nothing.
func connectCode(response *http.Response) string {
	var body struct {
		Code string `json:"code"`
	}
	// A body that is no such JSON is that of another kind of server.
	_ = json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&body)
	return body.Code
}

// readConnectUnary reads nothing: a response of HTTP status 200 is a message.
func readConnectUnary(*http.Response) (status, error) { return status{}, nil }

func readConnectStream(response *http.Response) (status, error) {
	flags, payload, err := readFrame(response.Body)
	if err != nil || flags&0x02 == 0 {
		return status{}, err
	}
	var end struct {
		Error *struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(payload, &end); err != nil {
		return status{}, err
	}
	if end.Error == nil {
		return status{code: "ok"}, nil
	}
	return status{code: end.Error.Code}, nil
}

func readGRPC(response *http.Response) (status, error) {
	if response.Header.Get("Grpc-Status") != "" {
		return statusIn(response.Header)
	}
	_, _, err := readFrame(response.Body)
	if errors.Is(err, io.EOF) {
		return statusIn(response.Trailer)
	}
	return status{}, err
}

func readGRPCWeb(response *http.Response) (status, error) {
	if response.Header.Get("Grpc-Status") != "" {
		return statusIn(response.Header)
	}
	flags, payload, err := readFrame(response.Body)
	if err != nil || flags&0x80 == 0 {
		return status{}, err
	}
	trailer, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(payload, "\r\n"...)))).ReadMIMEHeader()
	if err != nil {
		return status{}, err
	}
	return statusIn(http.Header(trailer))
}

func statusIn(header http.Header) (status, error) {
	code := header.Get("Grpc-Status")
	if _, err := strconv.ParseUint(code, 10, 31); err != nil {
		return status{}, fmt.Errorf("its gRPC status is %q", code)
	}
	return status{code: code, message: header.Get("Grpc-Message")}, nil
}

// readFrame reads one frame of the framing of [emptyMessage].
func readFrame(r io.Reader) (flags byte, payload []byte, err error) {
	var prefix [5]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return 0, nil, err
	}
	length := int64(binary.BigEndian.Uint32(prefix[1:]))
	payload, err = io.ReadAll(io.LimitReader(r, min(length, 1<<20)))
	if err == nil && int64(len(payload)) < length {
		err = io.ErrUnexpectedEOF
	}
	return prefix[0], payload, err
}
