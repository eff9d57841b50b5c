package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// opaqueToken gets a token that only the authorization server can read, and calls
// with it.
func (w *walker) opaqueToken(ctx context.Context) error {
	answer, err := w.request(ctx, tokenRequest{client: opaqueClient, secret: opaqueSecret, scope: readStock, resource: w.metadata.Resource})
	if err != nil {
		return err
	}
	if err := w.list(ctx, "Bearer", answer.AccessToken, ""); err != nil {
		return err
	}
	w.space()
	w.say(`There is nothing in this token to read. The server asked the authorization server about it
		(RFC 7662), and remembers the answer for a minute at most. The rule and the challenge are those
		for any other token.`)
	return same("the parts of the token", strings.Count(answer.AccessToken, ".")+1, 1)
}

// boundToken gets a token that is bound to a key, calls with it, and then as someone
// who has stolen the token or the whole request.
func (w *walker) boundToken(ctx context.Context) error {
	key, err := newProver()
	if err != nil {
		return err
	}
	token, err := w.requestBound(ctx, key)
	if err != nil {
		return err
	}
	proof, err := key.prove(w.metadata.Resource+inventoryv1.InventoryService_ListItems_FullMethodName, token)
	if err != nil {
		return err
	}
	if err := w.list(ctx, challenge.DPoP, token, proof); err != nil {
		return err
	}
	w.space()
	w.say("The same token as Bearer, as a thief of the token would send it:")
	w.space()
	asBearer := w.refused(ctx, challenge.Bearer, token, "", challenge.Bearer, "invalid_token")
	w.space()
	w.say("The same token with the same proof, as a thief of the whole request would send them:")
	w.space()
	again := w.refused(ctx, challenge.DPoP, token, proof, challenge.DPoP, challenge.InvalidProof)
	w.space()
	w.say(`Without the key, the token is of no use (RFC 9449), and a proof is good for one request. It
		names the method, the URL and the token; over gRPC the URL is that of the resource with the
		procedure, and both are metadata.`)
	return errors.Join(asBearer, again)
}

// requestBound gets a token that is bound to a key, and prints how.
func (w *walker) requestBound(ctx context.Context, key *prover) (string, error) {
	proof, err := key.prove(w.server.TokenEndpoint, "")
	if err != nil {
		return "", err
	}
	answer, err := w.request(ctx, tokenRequest{client: dpopClient, secret: dpopSecret, scope: readStock, resource: w.metadata.Resource, proof: proof})
	if err != nil {
		return "", err
	}
	kind, claims, err := decodeToken(answer.AccessToken)
	if err != nil {
		return "", err
	}
	w.got("  in it: typ %s, sub %s,\ncnf.jkt %s", kind, claims.Subject, claims.Confirmation.Thumbprint)
	return answer.AccessToken, errors.Join(
		same("token_type", answer.Type, challenge.DPoP),
		same("jkt", claims.Confirmation.Thumbprint, key.thumbprint))
}

// list calls the grpc-go server with a token, and a proof unless it is empty.
func (w *walker) list(ctx context.Context, scheme, token, proof string) error {
	resp, err := inventoryv1.NewInventoryServiceClient(w.grpc).ListItems(w.sendToken(ctx, scheme, token, proof), &inventoryv1.ListItemsRequest{})
	if err != nil {
		return fmt.Errorf("gRPC: %w", err)
	}
	w.got("OK, %d items", len(resp.GetItems()))
	return same("the number of items", len(resp.GetItems()), 3)
}

// refused makes the same call, and prints and checks the challenge of its refusal.
func (w *walker) refused(ctx context.Context, scheme, token, proof, wantScheme, wantError string) error {
	var leading grpcmetadata.MD
	_, err := inventoryv1.NewInventoryServiceClient(w.grpc).ListItems(
		w.sendToken(ctx, scheme, token, proof), &inventoryv1.ListItemsRequest{}, grpc.Header(&leading))
	header := strings.Join(leading.Get("www-authenticate"), " and ")
	w.got("grpc-status: %d (%s)", status.Code(err), status.Code(err))
	w.got("www-authenticate: %s", header)
	denial, ok := grpcauth.FromError(err)
	if !ok {
		return errNoChallenge(err)
	}
	return errors.Join(
		same("the reason", denial.Reason, challenge.ReasonInvalidToken),
		same("the scheme", denial.Challenge.Scheme, wantScheme),
		same("error", denial.Challenge.Error, wantError),
		same("the challenge in the metadata", header, denial.Challenge.Header()))
}

// sendToken prints the metadata of a call, and returns a context with it.
func (w *walker) sendToken(ctx context.Context, scheme, token, proof string) context.Context {
	ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", scheme+" "+token)
	shown := "authorization: " + scheme + " " + shorten(token)
	if proof != "" {
		ctx = grpcmetadata.AppendToOutgoingContext(ctx, "dpop", proof)
		shown += "\ndpop: " + shorten(proof)
	}
	w.sent("gRPC %s\n%s", inventoryv1.InventoryService_ListItems_FullMethodName, shown)
	return ctx
}
