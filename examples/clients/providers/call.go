package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcmetadata "google.golang.org/grpc/metadata"

	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

const (
	listItems   = inventoryv1.InventoryService_ListItems_FullMethodName
	adjustStock = inventoryv1.InventoryService_AdjustStock_FullMethodName
	getInvoice  = billingv1.BillingService_GetInvoice_FullMethodName
)

// bodies are requests that the services answer with 200.
var bodies = map[string]string{
	listItems:   `{}`,
	adjustStock: `{"sku":"BOLT-M8","delta":1}`,
	getInvoice:  `{"id":"INV-1001"}`,
}

const (
	timeout = 10 * time.Second
	maxBody = 1 << 20
)

// A call is an RPC with a token.
type call struct {
	resource  string // a URL
	procedure string // ListItems if it is empty
	scheme    string // Bearer if it is empty
	token     string // none if it is empty
	proof     string
	// certificate is the client certificate, for a resource with TLS.
	certificate *authtest.Certificate
}

// An answer is the response to a call. The first challenge is that for the scheme of
// the token.
type answer struct {
	status     int
	challenges []challenge.Challenge
	nonce      string
	body       string
}

// client returns a client that trusts the servers of the site, keeps no connections
// and follows no redirects.
func (s site) client(certificate *authtest.Certificate) *http.Client {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(s.Certificate))
	config := &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.TLS}
	}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes the call over Connect.
func (c call) send(ctx context.Context, s site) (answer, error) {
	procedure := cmp.Or(c.procedure, listItems)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.resource+procedure, strings.NewReader(bodies[procedure]))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", cmp.Or(c.scheme, challenge.Bearer)+" "+c.token)
	}
	if c.proof != "" {
		req.Header.Set("DPoP", c.proof)
	}
	resp, err := s.client(c.certificate).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return answer{}, err
	}
	challenges, err := challenge.Parse(resp.Header.Values("WWW-Authenticate"))
	return answer{resp.StatusCode, challenges, resp.Header.Get("DPoP-Nonce"), string(body)}, err
}

// An outcome is what is expected of an answer: the status, and of the challenge its
// error and its scopes.
type outcome struct {
	status int
	error  string
	scopes string
}

var (
	allowed = outcome{status: http.StatusOK}
	refused = outcome{status: http.StatusUnauthorized, error: "invalid_token", scopes: readStock}
)

// is returns an error unless the answer is the expected one.
func (a answer) is(want outcome) error {
	got := outcome{status: a.status}
	if len(a.challenges) > 0 {
		got.error, got.scopes = a.challenges[0].Error, strings.Join(a.challenges[0].Scopes, " ")
	}
	if got == want {
		return nil
	}
	return fmt.Errorf("got %+v, want %+v: %.300s", got, want, a.body)
}

// overGRPC calls ListItems of the grpc-go server. The error is a
// [challenge.DenialError] if the call was refused.
func (s site) overGRPC(ctx context.Context, token, scheme, proof string) error {
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is written.
	_, err = inventoryv1.NewInventoryServiceClient(conn).ListItems(withToken(ctx, token, scheme, proof), &inventoryv1.ListItemsRequest{})
	if denial, ok := grpcauth.FromError(err); ok {
		return denial
	}
	return err
}

func withToken(ctx context.Context, token, scheme, proof string) context.Context {
	if token != "" {
		ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", cmp.Or(scheme, challenge.Bearer)+" "+token)
	}
	if proof != "" {
		ctx = grpcmetadata.AppendToOutgoingContext(ctx, "dpop", proof)
	}
	return ctx
}

// isRefused returns an error unless err is a refusal for a reason.
func isRefused(err error, want challenge.Reason) error {
	denial, ok := errors.AsType[*challenge.DenialError](err)
	switch {
	case !ok:
		return fmt.Errorf("got %w, want a refusal", err)
	case denial.Reason != want:
		return fmt.Errorf("got %s, want %s", denial.Reason, want)
	default:
		return nil
	}
}
