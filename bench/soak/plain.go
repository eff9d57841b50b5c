package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
)

// The paths of the plain handlers. The last segment is a method of the unary
// service.
const (
	filesPath = "/files/"
	frontPath = "/front/"
	relayPath = "/relay/"
)

// mountPlain mounts the plain handlers.
func (w *world) mountPlain(mux *http.ServeMux) error {
	mux.Handle(filesPath, w.bridge.Protect(filesService, http.HandlerFunc(w.file)))
	mux.Handle(frontPath, w.bridge.Protect(frontService, http.HandlerFunc(w.front)))
	mux.HandleFunc(relayPath, w.relay)
	return nil
}

func (w *world) file(out http.ResponseWriter, r *http.Request) {
	w.handlers.enter(r.Header.Get)
	_, _ = io.WriteString(out, subject(r.Context())) // a failure means that the client is gone
}

// front asks whether the caller may call a method, too.
func (w *world) front(out http.ResponseWriter, r *http.Request) {
	err := w.authorizer.Check(r.Context(), "/"+unaryService+"/"+strings.TrimPrefix(r.URL.Path, frontPath))
	if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
		w.bridge.WriteError(out, r, denial)
		return
	}
	w.file(out, r)
}

// relay calls a method over the network, with the credentials of the caller for
// the same resource. The bridge answers with the denial of that call in place of
// what this writes.
func (w *world) relay(out http.ResponseWriter, r *http.Request) {
	client := connect.NewClient[message, message](w.http2, w.origin+"/"+unaryService+"/"+strings.TrimPrefix(r.URL.Path, relayPath),
		connect.WithInterceptors(connectauth.NewRelayInterceptor(connectauth.RelayConfig{DangerouslyEveryReason: true, Logger: w.logger})))
	req := connect.NewRequest(&message{Value: "hello"})
	maps.Copy(req.Header(), http.Header{slotField: r.Header[slotField]})
	if values := r.Header["Authorization"]; len(values) > 0 {
		req.Header()["Authorization"] = values
	}
	res, err := client.CallUnary(r.Context(), req)
	if err != nil {
		http.Error(out, "the backend failed: "+err.Error(), http.StatusBadGateway)
		return
	}
	_, _ = io.WriteString(out, res.Msg.GetValue())
}

// get sends a request to a plain handler.
func (w *world) get(ctx context.Context, r *request) verdict {
	path := map[int]string{plainHandler: filesPath, frontHandler: frontPath, relayHandler: relayPath}[r.surface]
	answer, err := w.send(ctx, r, http.MethodGet, w.origin+path+r.method, nil, nil)
	switch {
	case err != nil:
		return verdict{failed, err.Error()}
	case answer.status == http.StatusOK:
		return verdict{allowed, answer.body}
	default:
		return classifyHTTP(answer.status, answer.header, answer.body)
	}
}

// An answer is an HTTP response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends an HTTP request with the credentials of r and further fields.
func (w *world) send(ctx context.Context, r *request, method, url string, further http.Header, body io.Reader) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.header())
	maps.Copy(req.Header, further)
	res, err := w.http1.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	return &answer{res.StatusCode, res.Header, string(read)}, err
}
