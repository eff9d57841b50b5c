package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long one step may take. All of them together take a second or
// two.
const patience = 10 * time.Second

// step is one step of the walk-through. It prints what happens, and fails if that
// is not what it expects.
type step struct {
	name string
	run  func(*walker, context.Context) error
}

// steps returns the walk-through. Later steps use the results of earlier ones.
func steps() []step {
	return []step{
		{"a public RPC needs no token", (*walker).publicRPC},
		{"an RPC without a token, over Connect", (*walker).refusedConnect},
		{"the same over gRPC", (*walker).refusedGRPC},
		{"the same over gRPC-Web", (*walker).refusedGRPCWeb},
		{"the same as streams", (*walker).refusedStreams},
		{"the challenge", (*walker).readChallenge},
		{"the metadata document", (*walker).readMetadata},
		{"the authorization server", (*walker).readAuthServer},
		{"a token", (*walker).getToken},
		{"the RPC with the token", (*walker).callWithToken},
		{"another service with the same token", (*walker).otherService},
		{"step-up", (*walker).stepUp},
		{"another resource with the same token", (*walker).otherResource},
		{"an MCP client finds its way alone", (*walker).connectMCP},
		{"a tool that needs more", (*walker).stepUpTool},
		{"a resource that needs more", (*walker).stepUpResource},
		{"a prompt that needs more", (*walker).stepUpPrompt},
		{"a tool that the token allows by now", (*walker).callTool},
		{"an opaque token", (*walker).opaqueToken},
		{"a token that is bound to a key", (*walker).boundToken},
		{"a rule that is tightened while calls run", (*walker).reloadPolicy},
	}
}

// walk goes through all steps, as a client that knows the addresses of the servers
// and nothing else. Only the last step, which is an operator's, uses the path of the policy
// file.
func walk(ctx context.Context, target announcement, policyFile string, n *narrator) error {
	w, err := newWalker(target, n)
	if err != nil {
		return err
	}
	w.policyFile = policyFile
	w.introduce()
	for i, s := range steps() {
		n.heading(s.name)
		if err := w.try(ctx, s); err != nil {
			return errors.Join(fmt.Errorf("step %d (%s): %w", i+1, s.name, err), w.close())
		}
	}
	n.space()
	n.say("Every step went as it should. To try for yourself:")
	n.space()
	n.say("go run ./quickstart -serve")
	return w.close()
}

// walker is the client of the walk-through, and what it has learned.
type walker struct {
	*narrator

	target announcement
	http1  *tap
	http2  *tap
	grpc   *grpc.ClientConn

	challenge parsedChallenge // of step 2, the one to follow
	metadata  metadata
	server    serverMetadata
	read      string // a token with inventory:read
	write     string // one with inventory:write

	policyFile string
	mcp        mcpClient
}

func newWalker(target announcement, n *narrator) (*walker, error) {
	conn, err := grpc.NewClient(target.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &walker{narrator: n, target: target, http1: newTap(false), http2: newTap(true), grpc: conn}, nil
}

func (w *walker) introduce() {
	fmt.Fprintf(w.out, "%sdrawbridge quickstart%s\n\n", w.bold, w.plain)
	w.say("This process runs, on loopback:")
	w.space()
	for _, line := range [][2]string{
		{"authorization server", w.target.Issuer},
		{"Connect server", w.target.Connect},
		{"MCP endpoint", w.target.MCP},
		{"grpc-go server", w.target.GRPC},
	} {
		fmt.Fprintf(w.out, "    %-22s%s\n", line[0], line[1])
	}
	w.space()
	w.say(`And now it is a client that knows these addresses and nothing else. Lines with ">" were
		sent, lines with "<" came back.`)
}

func (w *walker) try(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.run(w, ctx)
}

func (w *walker) close() error {
	w.http1.close()
	w.http2.close()
	return errors.Join(w.mcp.close(), w.grpc.Close())
}

// same returns an error unless got is want.
func same[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("expected %s to be %v, got %v", what, want, got)
}
