package connectauth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// wires are the ways in which connect-go sends a call.
var wires = []struct {
	name    string
	option  connect.ClientOption
	methods []string
}{
	{"Connect, proto", connect.WithClientOptions(), rpctest.Kinds},
	{"Connect, JSON", connect.WithProtoJSON(), rpctest.Kinds},
	{"Connect GET", connect.WithClientOptions(connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects)), []string{rpctest.Unary}},
	{"Connect GET, JSON", connect.WithClientOptions(connect.WithProtoJSON(), connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects)), []string{rpctest.Unary}},
	{"gRPC", connect.WithGRPC(), rpctest.Kinds},
	{"gRPC, JSON", connect.WithClientOptions(connect.WithGRPC(), connect.WithProtoJSON()), rpctest.Kinds},
	{"gRPC-Web", connect.WithGRPCWeb(), rpctest.Kinds},
	{"gRPC-Web, JSON", connect.WithClientOptions(connect.WithGRPCWeb(), connect.WithProtoJSON()), rpctest.Kinds},
}

// refusals are the reasons for which a call of a service is refused.
var refusals = []struct {
	id, service, token string
	reason             challenge.Reason
	status             int // the HTTP status of a unary call over Connect
	asked, scopes      int
}{
	{"SEED-2", rpctest.GuardedService, "", challenge.ReasonNoCredentials, 401, 0, 1},
	{"SEED-3", rpctest.GuardedService, tokenBad, challenge.ReasonInvalidToken, 401, 1, 1},
	{"SEED-4", rpctest.GuardedService, tokenRead, challenge.ReasonInsufficientScope, 403, 1, 1},
	{"SEED-7", rpctest.NowhereService, "", challenge.ReasonNoCredentials, 401, 0, 0},
	{"SEED-7, RPC-6, RPC-8", rpctest.NowhereService, tokenGood, challenge.ReasonNotFound, 501, 1, 0},
	{"RPC-2", rpctest.GuardedService, tokenDown, challenge.ReasonUnavailable, 503, 1, 1},
	{"R6750-3.1.b", rpctest.GuardedService, "two tokens", challenge.ReasonInvalidRequest, 400, 0, 1},
	{"RPC-7", rpctest.GuardedService, tokenPanic, challenge.ReasonInternal, 500, 1, 1},
}

// TestGuardRefusals: over every protocol a refusal arrives with its code, one
// Challenge detail and a copy in the HTTP header, and nothing has run (RPC-1,
// RPC-2, RPC-3, RPC-4, RPC-7, SEED-1).
func TestGuardRefusals(t *testing.T) {
	t.Parallel()
	for version, newClient := range map[string]func(testing.TB) *http.Client{"HTTP/1.1": http1, "h2c": rpctest.H2C} {
		for _, wire := range wires {
			for _, row := range refusals {
				t.Run(version+"/"+wire.name+"/"+row.id+" "+row.reason.String(), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux()))
					client := newClient(t) // of its own: a later server may have the address of one that is gone
					for _, method := range wire.methods {
						if version == "HTTP/1.1" && method == rpctest.Bidi {
							continue // connect-go wants HTTP/2.
						}
						w.Verifier.Asked.Store(0)
						w.Log.Logged.Store(0)
						got := callOver(t, client, server, row.service, method, row.token, wire.option)
						if got.err == nil || got.code() != connect.Code(row.reason.RPCCode()) {
							t.Fatalf("RPC-2: %s: got %v, want %v", method, got.err, row.reason)
						}
						httpCode := http.StatusOK
						if strings.HasPrefix(wire.name, "Connect") && method == rpctest.Unary {
							httpCode = row.status
						}
						if got.status != httpCode {
							t.Errorf("RPC-4: %s: HTTP status is %d, want %d", method, got.status, httpCode)
						}
						checkRefusal(t, got)
						denial, _ := connectauth.FromError(got.err)
						if denial.Reason != row.reason || !denial.Remote || len(denial.Challenge.Scopes) != row.scopes {
							t.Errorf("RPC-3: %s: got %+v", method, denial)
						}
						checkHeader(t, got.leading, challenges(t, got.err)[0], row.reason)
						if w.Log.Logged.Load() != 1 || int(w.Verifier.Asked.Load()) != row.asked || w.Handlers.Ran() != 0 {
							t.Errorf("RPC-1, SEED-1: %s: logged %d times, the verifier was asked %d times, the handler ran %d times",
								method, w.Log.Logged.Load(), w.Verifier.Asked.Load(), w.Handlers.Ran())
						}
					}
				})
			}
		}
	}
}

// checkHeader wants the challenge in the HTTP header, where there is one, and the
// same as in the detail.
func checkHeader(t *testing.T, header http.Header, detail *drawbridgev1.Challenge, reason challenge.Reason) {
	t.Helper()
	var want []string
	if reason.Challenges() {
		want = []string{challenge.FromProto(reason.RPCCode(), detail).Challenge.Header()}
	}
	if got := header.Values("Www-Authenticate"); !slices.Equal(got, want) {
		t.Errorf("RPC-3: in the header\n got %q\nwant %q", got, want)
	}
}

// TestGuardLetsIn: a caller that meets the rule reaches the handler, which finds
// the facts of the token (RPC-1).
func TestGuardLetsIn(t *testing.T) {
	t.Parallel()
	for version, newClient := range map[string]func(testing.TB) *http.Client{"HTTP/1.1": http1, "h2c": rpctest.H2C} {
		for _, wire := range wires {
			t.Run(version+"/"+wire.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				mux := w.Handlers.ConnectMux(connect.WithIdempotency(connect.IdempotencyNoSideEffects))
				server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, mux))
				client := newClient(t)
				for _, method := range wire.methods {
					if version == "HTTP/1.1" && method == rpctest.Bidi {
						continue
					}
					for _, row := range []struct{ service, token, want string }{
						{rpctest.GuardedService, tokenGood, "hello from ada"},
						{rpctest.PublicService, "", "hello from anybody"},
						{rpctest.PublicService, tokenBad, "hello from anybody"},
					} {
						if got := callOver(t, client, server, row.service, method, row.token, wire.option); got.message != row.want {
							t.Errorf("%s of %s: got %+v", method, row.service, got)
						}
					}
				}
				if w.Log.Logged.Load() != 0 {
					t.Errorf("SEED-1: logged %d times", w.Log.Logged.Load())
				}
			})
		}
	}
}

// TestGuardOfGRPCGo: a client of grpc-go reads the refusal, and so does one whose
// call is served by grpc-go behind the guard (RPC-3).
func TestGuardOfGRPCGo(t *testing.T) {
	t.Parallel()
	for _, row := range refusals {
		t.Run(row.id+" "+row.reason.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for name, inner := range map[string]http.Handler{"connect-go": w.Handlers.ConnectMux(), "grpc-go": w.Handlers.GRPCServer()} {
				url := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, inner))
				conn := rpctest.DialGRPC(t, strings.TrimPrefix(url, "http://"))
				for _, method := range rpctest.Kinds {
					_, err := rpctest.CallGRPC(outgoing(t.Context(), row.token), conn, row.service, method)
					got := status.Convert(err)
					if got.Code() != codes.Code(row.reason.RPCCode()) || w.Handlers.Ran() != 0 {
						t.Errorf("RPC-2: %s, %s: got %v", name, method, err)
					}
					found := 0
					for _, detail := range got.Details() {
						if c, ok := detail.(*drawbridgev1.Challenge); ok && challenge.FromProto(uint32(got.Code()), c).Reason == row.reason {
							found++
						}
					}
					if found != 1 {
						t.Errorf("RPC-3: %s, %s: got the details %v", name, method, got.Details())
					}
				}
			}
		})
	}
}

// TestGuardLetsGRPCGoIn is the control of TestGuardOfGRPCGo.
func TestGuardLetsGRPCGoIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, w.Handlers.GRPCServer()))
	conn := rpctest.DialGRPC(t, strings.TrimPrefix(url, "http://"))
	for _, method := range rpctest.Kinds {
		message, err := rpctest.CallGRPC(outgoing(t.Context(), tokenGood), conn, rpctest.GuardedService, method)
		if message != "hello from ada" {
			t.Errorf("%s: got %q, %v", method, message, err)
		}
	}
}

func outgoing(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// http1 returns a client that speaks HTTP/1.1 alone.
func http1(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(true)
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestGuardReadsNoBody: the guard decides on the header alone, and the refusal
// reaches a client that sends a body of any size, or none at all (RPC-1, RPC-9).
func TestGuardReadsNoBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("RPC-1: the handler ran")
	})))
	for _, over := range protocols {
		for _, method := range rpctest.Kinds {
			for name, body := range bodies() {
				if got, _ := post(t, server, over, method, body, nil); got != "unauthenticated" {
					t.Errorf("RPC-9: %s, %s, %s: got %q", over.name, method, name, got)
				}
			}
		}
	}
}

// TestNewErrorOfEachReason: the error of each reason has its code and its fixed
// sentence, one Challenge detail, and FromError finds the denial in it (RPC-2,
// RPC-3, RPC-7).
func TestNewErrorOfEachReason(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		t.Run(reason.String(), func(t *testing.T) {
			t.Parallel()
			denial := challenge.NewDenial(reason, errors.New(secret))
			denial.Challenge.Realm = rpctest.GuardedService
			denial.Challenge.Scopes = []string{"a", "b"}
			err := connectauth.NewError(denial)
			if err.Code() != connect.Code(reason.RPCCode()) || err.Message() != reason.Message() {
				t.Errorf("RPC-2, RPC-7: got %v", err)
			}
			if found := challenges(t, err); len(found) != 1 || found[0].GetRealm() != rpctest.GuardedService || len(found[0].GetScopes()) != 2 {
				t.Errorf("RPC-3: got %v", found)
			}
			if found, ok := connectauth.FromError(err); !ok || found != denial || found.Remote {
				t.Errorf("got %+v, %t", found, ok)
			}
			want := make(http.Header)
			if denial.SetHeader(want); !maps.EqualFunc(err.Meta(), want, slices.Equal) {
				t.Errorf("RPC-3: the metadata is %v, want %v", err.Meta(), want)
			}
		})
	}
}

// TestNewErrorWithoutDetail: a refusal stands, even if its detail cannot be sent.
func TestNewErrorWithoutDetail(t *testing.T) {
	t.Parallel()
	denial := challenge.NewDenial(challenge.ReasonInvalidToken, nil)
	denial.Challenge.Realm = "\xff"
	if got := connectauth.NewError(denial); got.Code() != connect.CodeUnauthenticated || len(got.Details()) != 0 {
		t.Errorf("got %v", got)
	}
}
