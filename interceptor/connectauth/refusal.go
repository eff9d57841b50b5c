package connectauth

import (
	"bytes"
	"io"
	"net/http"

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
	body     string
	trailers []field
	values   int // how many there are in header and trailers
}

type field struct {
	name   string
	values []string
}

const jsonContent = "application/json"

// newRefusalForm lets connect-go write the denial once, for a request with the
// content type of the shape.
func newRefusalForm(contentType string) *challenge.Form[*refusal] {
	return challenge.NewForm(func(denial *challenge.DenialError) *refusal {
		return captureError(contentType, newError(denial), denial).refusal(contentType == jsonContent)
	})
}

// write sends the refusal. What it writes is the receiver's own, because a
// middleware may change it in place: the values are copies, in one allocation, and
// the body is a string.
func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	header, own := w.Header(), make(ownValues, 0, f.values+1)
	contentType := jsonContent
	if !f.unary {
		contentType = r.Header["Content-Type"][0] // A request with a shape has one.
	}
	own = append(own, contentType)
	header["Content-Type"] = own[:1:1]
	own = own.set(header, f.header)
	w.WriteHeader(f.status)
	if f.body != "" {
		_, _ = io.WriteString(w, f.body) // A failure means that the client is gone.
	}
	own.set(header, f.trailers)
}

// ownValues are the values of a header that is being written.
type ownValues []string

// set sets fields of header to copies of their values, which it appends to own.
func (own ownValues) set(header http.Header, fields []field) ownValues {
	for i := range fields {
		start := len(own)
		own = append(own, fields[i].values...)
		header[fields[i].name] = own[start:len(own):len(own)]
	}
	return own
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
		denial.SetHeader(c.header)
	}
	_ = connect.NewErrorWriter().Write(c, request, err) // A capture does not fail.
	return c
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) { c.status, c.sent = status, c.header.Clone() }

func (c *capture) Write(data []byte) (int, error) { return c.body.Write(data) }

// refusal returns the captured response, without the content type.
func (c *capture) refusal(unary bool) *refusal {
	f := &refusal{status: c.status, unary: unary, body: c.body.String()}
	for name, values := range c.header {
		if name == "Content-Type" {
			continue
		}
		f.values += len(values)
		if _, sent := c.sent[name]; sent {
			f.header = append(f.header, field{name, values})
		} else {
			f.trailers = append(f.trailers, field{name, values})
		}
	}
	return f
}
