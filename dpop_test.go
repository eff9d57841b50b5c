package drawbridge_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// dpopWorld is an issuer, and an Authorizer that accepts DPoP.
type dpopWorld struct {
	issuer     *authtest.Issuer
	authorizer *drawbridge.Authorizer
	key        *authtest.ProofKey
}

func newDPoPWorld(t *testing.T, config proof.DPoPConfig, changes ...func(*drawbridge.Config)) *dpopWorld {
	t.Helper()
	issuer := authtest.NewIssuer(t)
	tokens, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	dpop, err := proof.NewDPoP(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: base, AuthorizationServers: []string{issuer.URL}}},
		Policy:    rpctest.Policy(),
		Verifier:  tokens,
		Bindings:  map[string]token.Binding{"jkt": dpop},
		Logger:    slog.New(slog.DiscardHandler),
	}
	for _, change := range changes {
		change(&cfg)
	}
	authorizer, err := drawbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &dpopWorld{issuer, authorizer, authtest.NewProofKey(t, "ES256")}
}

// mint returns a token that is bound to the key of the world, or to none.
func (w *dpopWorld) mint(isBound bool) string {
	minted := authtest.Token{Audience: []string{base}, Scope: rpctest.ScopeWrite, Lifetime: time.Hour}
	if isBound {
		minted.Confirmation = w.key.Confirmation()
	}
	return w.issuer.Mint(minted)
}

// prove returns a proof for a call of a method with a token.
func (w *dpopWorld) prove(method, raw, nonce string) string {
	return w.key.Prove(authtest.Proof{Method: "POST", URL: base + rpctest.Procedure(rpctest.GuardedService, method), AccessToken: raw, Nonce: nonce})
}

// caller calls a method of GuardedService with header fields.
type caller func(t *testing.T, method string, header http.Header) error

// callers are the ways to reach servers that w guards.
func (w *dpopWorld) callers(t *testing.T) map[string]caller {
	t.Helper()
	var handlers rpctest.Handlers
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.authorizer})
	if err != nil {
		t.Fatal(err)
	}
	option := rpctest.ServeHTTP(t, bridge.Handler(handlers.ConnectMux(connectauth.WithAuthorizer(w.authorizer))))
	guard := rpctest.ServeHTTP(t, connectauth.Guard(w.authorizer, handlers.ConnectMux(connectauth.WithAuthorizer(w.authorizer))))
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, handlers.GRPCServer(grpcauth.ServerOptions(w.authorizer)...)))
	over := func(url string, options ...connect.ClientOption) caller {
		return func(t *testing.T, method string, header http.Header) error {
			t.Helper()
			_, err := rpctest.CallConnect(t.Context(), rpctest.H2C(t), url, rpctest.GuardedService, method, header, options...)
			if denial, ok := connectauth.FromError(err); ok {
				return denial
			}
			return err
		}
	}
	return map[string]caller{
		"Connect":       over(option),
		"gRPC":          over(option, connect.WithGRPC()),
		"gRPC-Web":      over(option, connect.WithGRPCWeb()),
		"Connect guard": over(guard),
		"gRPC guard":    over(guard, connect.WithGRPC()),
		"grpc-go": func(t *testing.T, method string, header http.Header) error {
			t.Helper()
			ctx := t.Context()
			for name, values := range header {
				for _, value := range values {
					ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(name), value)
				}
			}
			_, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, method, grpc.WaitForReady(true))
			if denial, ok := grpcauth.FromError(err); ok {
				return denial
			}
			if status.Code(err) != 0 {
				return err
			}
			return nil
		},
	}
}

// wantProofError checks a denial that asks for another proof.
func wantProofError(t *testing.T, err error, code string) *challenge.DenialError {
	t.Helper()
	denial := denialOf(t, err, challenge.ReasonInvalidToken)
	c := denial.Challenge
	if c.Error != code || c.Scheme != challenge.DPoP || len(c.Algs) == 0 || c.ErrorDescription == "" || !slices.Equal(c.Scopes, []string{rpctest.ScopeWrite}) {
		t.Errorf("got %+v, want %s", c, code)
	}
	return denial
}

// TestDPoPOverTheWire: a bound token is let in with its proof, once, over every
// protocol and with every kind of stream, and the denial says what is missing.
func TestDPoPOverTheWire(t *testing.T) {
	t.Parallel()
	w := newDPoPWorld(t, proof.DPoPConfig{})
	good, unbound := w.mint(true), w.mint(false)
	for name, call := range w.callers(t) {
		for _, method := range rpctest.Kinds {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				sent := http.Header{"Authorization": {"DPoP " + good}, "Dpop": {w.prove(method, good, "")}}
				if err := call(t, method, sent); err != nil {
					t.Fatalf("R9449-7.1: got %v", err)
				}
				wantProofError(t, call(t, method, sent), challenge.InvalidProof) // R9449-11.1
				wantProofError(t, call(t, method, http.Header{"Authorization": {"DPoP " + good}}), challenge.InvalidProof)
				wantProofError(t, call(t, method, http.Header{"Authorization": {"dpop " + good}, "Dpop": {w.prove("Other", good, "")}}), challenge.InvalidProof)
				for id, authorization := range map[string]string{"R9449-7.2 bound, as Bearer": "Bearer " + good, "R9449-7.1 unbound, as DPoP": "DPoP " + unbound} {
					denial := denialOf(t, call(t, method, http.Header{"Authorization": {authorization}, "Dpop": {w.prove(method, good, "")}}), challenge.ReasonInvalidToken)
					if c := denial.Challenge; c.Error != "invalid_token" || c.Scheme != challenge.Bearer || len(c.Algs) == 0 {
						t.Errorf("%s: got %+v", id, c)
					}
				}
				if err := call(t, method, http.Header{"Authorization": {"Bearer " + unbound}}); err != nil {
					t.Errorf("R6750-2.a: got %v", err)
				}
				denialOf(t, call(t, method, http.Header{"Authorization": {"DPoP " + good, "Bearer " + good}}), challenge.ReasonInvalidRequest) // R9449-7.2
				c := denialOf(t, call(t, method, nil), challenge.ReasonNoCredentials).Challenge
				if c.Error != "" || c.Scheme != challenge.Bearer || len(c.Algs) == 0 {
					t.Errorf("R6750-3.1.a: got %+v", c)
				}
			})
		}
	}
}

// TestDPoPNonce: the nonce comes with the challenge, once, and lets the next proof in.
func TestDPoPNonce(t *testing.T) {
	t.Parallel()
	w := newDPoPWorld(t, proof.DPoPConfig{NonceKeys: [][]byte{[]byte(strings.Repeat("k", 32))}})
	good := w.mint(true)
	for name, call := range w.callers(t) {
		for _, method := range rpctest.Kinds {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				denial := wantProofError(t, call(t, method, http.Header{"Authorization": {"DPoP " + good}, "Dpop": {w.prove(method, good, "")}}), challenge.UseNonce)
				nonce := denial.Challenge.Nonce
				if nonce == "" {
					t.Fatal("R9449-9: no nonce")
				}
				if err := call(t, method, http.Header{"Authorization": {"DPoP " + good}, "Dpop": {w.prove(method, good, nonce)}}); err != nil {
					t.Errorf("R9449-9: got %v", err)
				}
				wantProofError(t, call(t, method, http.Header{"Authorization": {"DPoP " + good}, "Dpop": {w.prove(method, good, nonce+"x")}}), challenge.UseNonce)
			})
		}
	}
}

// TestDPoPResponse: over HTTP, one field names both schemes, and another the nonce.
func TestDPoPResponse(t *testing.T) {
	t.Parallel()
	w := newDPoPWorld(t, proof.DPoPConfig{NonceKeys: [][]byte{[]byte(strings.Repeat("k", 32))}, Algorithms: []string{"ES256", "EdDSA"}})
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.authorizer})
	if err != nil {
		t.Fatal(err)
	}
	address := rpctest.ServeHTTP(t, bridge.Protect(rpctest.GuardedService, http.NotFoundHandler()))
	good := w.mint(true)
	for _, tt := range []struct{ name, authorization, want string }{
		{"R9449-7.1 no credentials", "", `Bearer realm="REALM", resource_metadata="META", scope="guarded:write", DPoP realm="REALM", resource_metadata="META", scope="guarded:write", algs="ES256 EdDSA"`},
		{"R9449-9 no nonce", "DPoP " + good, `DPoP realm="REALM", resource_metadata="META", scope="guarded:write", error="use_dpop_nonce", error_description="the DPoP proof needs the nonce of the DPoP-Nonce field", algs="ES256 EdDSA"`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
			r.Header.Set("DPoP", w.key.Prove(authtest.Proof{Method: "POST", URL: base + "/x", AccessToken: good}))
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		want := strings.NewReplacer("REALM", rpctest.GuardedService, "META", base+wellKnown).Replace(tt.want)
		nonces := response.Header.Values("DPoP-Nonce")
		if response.StatusCode != http.StatusUnauthorized || !slices.Equal(response.Header.Values("WWW-Authenticate"), []string{want}) || (len(nonces) == 1) != (tt.authorization != "") {
			t.Errorf("%s: got %d %v, want %s", tt.name, response.StatusCode, response.Header, want)
		}
	}
}

// TestProofModes: a resource requires tokens that are bound, allows them, or refuses
// them, and its metadata document says so.
func TestProofModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode           policy.Proof
		bound, unbound challenge.Reason
		scheme         string
		algs           bool
	}{
		{policy.ProofAllowed, letIn, letIn, challenge.Bearer, true},
		{policy.ProofRequired, letIn, challenge.ReasonInvalidToken, challenge.DPoP, true},
		{policy.ProofRefused, challenge.ReasonInvalidToken, letIn, challenge.Bearer, false},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			t.Parallel()
			w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) { cfg.Resources[0].Proof = tt.mode })
			bound, unbound := w.mint(true), w.mint(false)
			call := w.callers(t)["Connect"]
			wantOutcome(t, call(t, rpctest.Unary, http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {w.prove(rpctest.Unary, bound, "")}}), tt.bound)
			wantOutcome(t, call(t, rpctest.Unary, http.Header{"Authorization": {"Bearer " + bound}}), challenge.ReasonInvalidToken) // R9449-7.2
			wantOutcome(t, call(t, rpctest.Unary, http.Header{"Authorization": {"Bearer " + unbound}}), tt.unbound)
			c := denialOf(t, call(t, rpctest.Unary, nil), challenge.ReasonNoCredentials).Challenge
			if c.Scheme != tt.scheme || (len(c.Algs) > 0) != tt.algs {
				t.Errorf("R9449-7.1: got %+v", c)
			}
			document, _ := w.authorizer.Metadata(t.Context(), sent{Path: wellKnown}.Request())
			if document.DPoPBoundAccessTokensRequired != (tt.mode == policy.ProofRequired) || (len(document.DPoPSigningAlgValuesSupported) > 0) != tt.algs || document.TLSClientCertificateBoundAccessTokens {
				t.Errorf("R9728-2.b: got %+v", document)
			}
		})
	}
}

// TestProofOfResource: what one resource says about proofs and in its document is not said
// of another, whatever their order.
func TestProofOfResource(t *testing.T) {
	t.Parallel()
	for _, reversed := range []bool{false, true} {
		w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) {
			servers := cfg.Resources[0].AuthorizationServers
			cfg.Resources = []drawbridge.Resource{
				{Identifier: base, AuthorizationServers: servers, Proof: policy.ProofRefused, Metadata: map[string]any{"resource_tos_uri": base}},
				{Identifier: base + "/a", AuthorizationServers: servers, Proof: policy.ProofRequired, Metadata: map[string]any{"resource_tos_uri": base + "/a"}},
				{Identifier: base + "/a/b", AuthorizationServers: servers, Metadata: map[string]any{"resource_tos_uri": base + "/a/b"}},
			}
			if reversed {
				slices.Reverse(cfg.Resources)
			}
		})
		for path, want := range map[string]struct{ algs, required bool }{"": {false, false}, "/a": {true, true}, "/a/b": {true, false}} {
			document, ok := w.authorizer.Metadata(t.Context(), sent{Path: wellKnown + path}.Request())
			if !ok || document.Resource != base+path || (len(document.DPoPSigningAlgValuesSupported) > 0) != want.algs || document.DPoPBoundAccessTokensRequired != want.required || string(document.Further["resource_tos_uri"]) != `"`+base+path+`"` {
				t.Errorf("%q, reversed %t: got %+v", path, reversed, document)
			}
			_, err := authorize(t.Context(), w.authorizer, sent{Procedure: guarded, Path: path + "/x"})
			c := denialOf(t, err, challenge.ReasonNoCredentials).Challenge
			if (c.Scheme == challenge.DPoP) != want.required || (len(c.Algs) > 0) != want.algs {
				t.Errorf("%q, reversed %t: got %+v", path, reversed, c)
			}
		}
	}
}

// TestProofOfRule: a rule asks for a bound token where its resource does not, also for
// a further call of the same caller.
func TestProofOfRule(t *testing.T) {
	t.Parallel()
	const further = "a.v1.A"
	for _, tt := range []struct {
		mode           policy.Proof
		bound, unbound challenge.Reason
	}{
		{policy.ProofAllowed, letIn, letIn},
		{policy.ProofRequired, letIn, challenge.ReasonInvalidToken},
		{policy.ProofRefused, challenge.ReasonInvalidToken, letIn},
	} {
		rule := policy.Rule{Authenticated: true, Proof: tt.mode}
		w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) {
			cfg.Policy.Services[further] = policy.Service{Rule: rule, NoDescriptor: true}
		})
		for isBound, want := range map[bool]challenge.Reason{true: tt.bound, false: tt.unbound} {
			raw, path := w.mint(isBound), rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
			header := http.Header{"Authorization": {"Bearer " + raw}}
			if isBound {
				header = http.Header{"Authorization": {"DPoP " + raw}, "Dpop": {w.prove(rpctest.Unary, raw, "")}}
			}
			r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}, Host: "api.example.com", Header: header}
			req := drawbridge.HTTPRequest(r)
			req.Procedure = path
			ctx, err := w.authorizer.Authorize(t.Context(), req)
			if err != nil {
				t.Fatalf("%v: got %v", tt.mode, challenge.DenialOf(err).Cause)
			}
			wantOutcome(t, w.authorizer.Check(ctx, "/"+further+"/X"), want)
			// As the first decision of a request, too.
			r.URL.Path = "/" + further + "/X"
			if isBound {
				header.Set("DPoP", w.key.Prove(authtest.Proof{Method: "POST", URL: base + r.URL.Path, AccessToken: raw}))
			}
			req = drawbridge.HTTPRequest(r)
			req.Procedure = r.URL.Path
			_, err = w.authorizer.Authorize(t.Context(), req)
			wantOutcome(t, err, want)
		}
	}
}

// TestCertificateUnderDPoP: a token that another method binds is none of DPoP.
func TestCertificateUnderDPoP(t *testing.T) {
	t.Parallel()
	certificates := new(binder)
	w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) { cfg.Bindings[x5tS] = certificates })
	raw := w.issuer.Mint(authtest.Token{Audience: []string{base}, Scope: rpctest.ScopeWrite, Confirmation: map[string]any{x5tS: "print"}})
	call := w.callers(t)["Connect"]
	wantOutcome(t, call(t, rpctest.Unary, http.Header{"Authorization": {"Bearer " + raw}}), letIn)
	wantOutcome(t, call(t, rpctest.Unary, http.Header{"Authorization": {"DPoP " + raw}, "Dpop": {w.prove(rpctest.Unary, raw, "")}}), challenge.ReasonInvalidToken)
	if n := certificates.asked.Load(); n != 1 {
		t.Errorf("R8705-3: asked %d times", n)
	}
}

// TestProofIsCheckedOnce: a request that is decided about twice, under two rules, has one
// proof.
func TestProofIsCheckedOnce(t *testing.T) {
	t.Parallel()
	const outer = "a.v1.A"
	w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) {
		// Without a cache, each decision has facts of its own.
		uncached, err := verifier.New(verifier.Config{CacheSize: -1, JWT: []verifier.JWTConfig{{Issuer: cfg.Resources[0].AuthorizationServers[0]}}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Verifier = uncached
		cfg.Policy.Services[outer] = policy.Service{Rule: policy.Rule{Authenticated: true}, NoDescriptor: true}
	})
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.authorizer})
	if err != nil {
		t.Fatal(err)
	}
	var handlers rpctest.Handlers
	address := rpctest.ServeHTTP(t, bridge.Protect(outer, handlers.ConnectMux(connectauth.WithAuthorizer(w.authorizer))))
	raw := w.mint(true)
	header := http.Header{"Authorization": {"DPoP " + raw}, "Dpop": {w.prove(rpctest.Unary, raw, "")}}
	// A proof for one token is refused for another, also if the first was let in further out.
	path, other := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), w.mint(true)
	decide := func(ctx context.Context, raw, procedure, dpop string) (context.Context, error) {
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}, Host: "api.example.com", Header: http.Header{"Authorization": {"DPoP " + raw}, "Dpop": {dpop}}}
		req := drawbridge.HTTPRequest(r)
		req.Procedure, req.Service = procedure, outer
		return w.authorizer.Authorize(ctx, req)
	}
	proven := w.prove(rpctest.Unary, other, "")
	ctx, err := decide(t.Context(), other, "", proven)
	wantOutcome(t, err, letIn)
	_, err = decide(ctx, other, path, proven)
	wantOutcome(t, err, letIn)
	_, err = decide(ctx, raw, path, proven)
	wantOutcome(t, err, challenge.ReasonInvalidToken)

	for i, want := range []bool{true, false} {
		_, err := rpctest.CallConnect(t.Context(), rpctest.H2C(t), address, rpctest.GuardedService, rpctest.Unary, header)
		if (err == nil) != want {
			t.Errorf("R9449-11.1: call %d: got %v", i, err)
		}
	}
}

// oddScheme is a binding with an unknown scheme.
type oddScheme struct {
	*proof.DPoP

	name string
	algs []string
}

func (o oddScheme) Scheme() (string, []string) { return o.name, o.algs }

// TestProofFaults: bindings and resources that could not work.
func TestProofFaults(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*drawbridge.Config){
		"another scheme": func(cfg *drawbridge.Config) {
			cfg.Bindings = map[string]token.Binding{"x": oddScheme{nil, "Basic", []string{"a"}}}
		},
		"no algorithm": func(cfg *drawbridge.Config) {
			cfg.Bindings = map[string]token.Binding{"x": oddScheme{nil, "DPoP", nil}}
		},
		"two for DPoP": func(cfg *drawbridge.Config) {
			cfg.Bindings = map[string]token.Binding{"x": oddScheme{nil, "DPoP", []string{"a"}}, "y": oddScheme{nil, "dpop", []string{"a"}}}
		},
		"nothing to bind": func(cfg *drawbridge.Config) { cfg.Resources[0].Proof = policy.ProofRequired },
		"nothing to bind for a rule": func(cfg *drawbridge.Config) {
			cfg.Policy.Services["a.v1.A"] = policy.Service{Rule: policy.Rule{Proof: policy.ProofRequired}, NoDescriptor: true}
		},
		"a rule against its resource": func(cfg *drawbridge.Config) {
			cfg.Resources[0].Proof = policy.ProofRefused
			cfg.Bindings = map[string]token.Binding{"x": new(binder)}
			cfg.Policy.Services["a.v1.A"] = policy.Service{Rule: policy.Rule{Proof: policy.ProofRequired}, NoDescriptor: true}
		},
		"no such mode": func(cfg *drawbridge.Config) { cfg.Resources[0].Proof = 9 },
	} {
		cfg := config()
		change(&cfg)
		if faults := faultsOf(t, cfg); len(faults) != 1 {
			t.Errorf("%s: got %v", name, faults)
		}
	}
}

// TestStoreIsFull: where it cannot be told whether a proof was used, the call is
// denied, and not for good (R9449-11.1).
func TestStoreIsFull(t *testing.T) {
	t.Parallel()
	store, err := proof.NewMemoryStore(proof.MemoryStoreConfig{KeyCapacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := newDPoPWorld(t, proof.DPoPConfig{Store: store})
	good := w.mint(true)
	call := w.callers(t)["gRPC"]
	for i, want := range []challenge.Reason{letIn, challenge.ReasonUnavailable} {
		err := call(t, rpctest.Unary, http.Header{"Authorization": {"DPoP " + good}, "Dpop": {w.prove(rpctest.Unary, good, "")}})
		if outcome(err) != want || want != letIn && errors.Is(err, token.ErrInvalid) {
			t.Errorf("call %d: got %v", i, err)
		}
	}
}
