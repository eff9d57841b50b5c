package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// The policy file overrides the rules in the protobuf files, also while the servers run; a
// faulty one changes nothing.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const listItems = "services: {inventory.v1.InventoryService: {methods: {ListItems: "
	write(listItems + "{authenticated: true}}}}\n")
	s := startServersWith(t, path)
	target := s.announcement()
	token := clientToken(t, target, readBilling, target.Connect)
	probe := grpcProbe(t, target)
	want := func(want codes.Code) {
		t.Helper()
		if got := probe(t.Context(), token, inventoryv1.InventoryService_ListItems_FullMethodName); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	want(codes.OK)
	write(listItems + "{scopes: [a b]}}}}\n")
	if err := s.policy.Reload(); err == nil || !strings.Contains(err.Error(), "policy.yaml:1") {
		t.Errorf("got %v", err)
	}
	want(codes.OK)
	write(listItems + "{denied: true}}}}\n")
	if err := s.policy.Reload(); err != nil {
		t.Error(err)
	}
	want(codes.Unimplemented)
}

// A signal has the policy file read again.
func TestSIGHUP(t *testing.T) {
	s := startServers(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	out, announced := io.Pipe()
	go func() { served <- serve(ctx, s, announced) }()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is about to wait for signals
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	before := s.policy.Status().Reloads
	for s.policy.Status().Reloads == before {
		if t.Context().Err() != nil {
			t.Fatal("the signal has no effect")
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
