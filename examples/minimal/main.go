// Command minimal is a Connect server whose RPC asks for a scope. It takes the
// URL of an OpenID provider:
//
//	go run ./minimal https://login.example.com
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const address, service = "localhost:8080", "greet.v1.GreetService"

func greet(ctx context.Context, req *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	caller, _ := token.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String(req.Msg.GetValue() + ", " + caller.Subject)), nil
}

func newHandler(issuer string) (http.Handler, error) {
	tokens, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer}}})
	if err != nil {
		return nil, err
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: "http://" + address, AuthorizationServers: []string{issuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			service: {Rule: policy.Rule{Scopes: []string{"greet"}}, NoDescriptor: true},
		}},
		Verifier: tokens,
	})
	if err != nil {
		return nil, err
	}
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/"+service+"/Greet", connect.NewUnaryHandler("/"+service+"/Greet", greet))
	return bridge.Handler(connectauth.Guard(authorizer, mux)), nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: minimal ISSUER")
	}
	handler, err := newHandler(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
