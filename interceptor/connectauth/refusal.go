package connectauth

import (
	"bytes"
	"net/http"
	"slices"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// shape is a kind of request whose refusal consists of the same bytes, apart from
// the content type. Requests of other shapes are left to connect-go.
type shape uint8

const (
	unknownShape shape = iota
	connectUnary
	connectStream
	grpcShape
	grpcWeb
	shapes
)

// contentTypes are those of the requests that have a shape, as clients write
// them.
var contentTypes = map[string]shape{
	"application/json":           connectUnary,
	"application/proto":          connectUnary,
	"application/connect+json":   connectStream,
	"application/connect+proto":  connectStream,
	"application/grpc":           grpcShape,
	"application/grpc+proto":     grpcShape,
	"application/grpc+json":      grpcShape,
	"application/grpc-web":       grpcWeb,
	"application/grpc-web+proto": grpcWeb,
	"application/grpc-web+json":  grpcWeb,
}

// refusalForms hold the bytes of a denial for each shape.
var refusalForms = [shapes]*challenge.Form[*refusal]{
	connectUnary:  newRefusalForm("application/json"),
	connectStream: newRefusalForm("application/connect+proto"),
	grpcShape:     newRefusalForm("application/grpc"),
	grpcWeb:       newRefusalForm("application/grpc-web"),
}

// shapeOf returns the shape of a request.
func shapeOf(r *http.Request) shape {
	contentType := r.Header["Content-Type"]
	if r.Method != http.MethodPost || len(contentType) != 1 {
		return unknownShape
	}
	found := contentTypes[contentType[0]]
	if version := r.Header["Connect-Protocol-Version"]; len(version) > 0 && (len(version) > 1 || version[0] != "1") {
		if found == connectUnary || found == connectStream {
			return unknownShape
		}
	}
	return found
}

// refusal is a denial as connect-go writes it.
type refusal struct {
	status   int
	unary    bool
	header   []field
	body     []byte
	trailers []field
}

type field struct {
	name   string
	values []string
}

var jsonContent = []string{"application/json"}

// newRefusalForm lets connect-go write the denial once, for a request with the
// content type of the shape.
func newRefusalForm(contentType string) *challenge.Form[*refusal] {
	return challenge.NewForm(func(denial *challenge.DenialError) *refusal {
		return captureError(contentType, NewError(denial), denial).refusal(contentType == jsonContent[0])
	})
}

// write sends the refusal.
func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	if f.unary {
		header["Content-Type"] = jsonContent
	} else {
		header["Content-Type"] = r.Header["Content-Type"]
	}
	for i := range f.header {
		header[f.header[i].name] = f.header[i].values
	}
	w.WriteHeader(f.status)
	if len(f.body) > 0 {
		_, _ = w.Write(f.body) // A failure means that the client is gone.
	}
	for i := range f.trailers {
		header[f.trailers[i].name] = f.trailers[i].values
	}
}

// capture is a response writer that keeps a response.
type capture struct {
	header http.Header
	sent   http.Header // a copy of header when it was written
	status int
	body   bytes.Buffer
}

// captureError lets connect-go write an error in response to a request with a
// content type. The challenge of a denial, if there is one, stands in the header.
func captureError(contentType string, err *connect.Error, denial *challenge.DenialError) *capture {
	request := &http.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}}
	c := &capture{header: make(http.Header)}
	if denial != nil {
		setChallenge(c.header, denial)
	}
	_ = connect.NewErrorWriter().Write(c, request, err) // A capture does not fail.
	return c
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) { c.status, c.sent = status, c.header.Clone() }

func (c *capture) Write(data []byte) (int, error) { return c.body.Write(data) }

// refusal returns the captured response, without the content type.
func (c *capture) refusal(unary bool) *refusal {
	f := &refusal{status: c.status, unary: unary, body: c.body.Bytes()}
	for name, values := range c.header {
		// Clipped, so that a middleware which adds a value gets a copy.
		kept := field{name, slices.Clip(values)}
		_, sent := c.sent[name]
		switch {
		case name == "Content-Type":
		case sent:
			f.header = append(f.header, kept)
		default:
			f.trailers = append(f.trailers, kept)
		}
	}
	return f
}
