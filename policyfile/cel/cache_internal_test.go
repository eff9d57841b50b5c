package cel

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func programOf(t *testing.T, c *Conditions, text string, request protoreflect.MessageDescriptor) *program {
	t.Helper()
	compiled, err := c.CompileCondition(text, policy.Target{Service: "a.v1.A", Request: request})
	if err != nil {
		t.Fatal(err)
	}
	return compiled.(*condition).program
}

// A text is compiled once for each type of message.
func TestCompiledOnce(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	duration, timestamp := (*durationpb.Duration)(nil).ProtoReflect().Descriptor(), (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor()
	first := programOf(t, c, "true", duration)
	switch {
	case programOf(t, c, "true", duration) != first:
		t.Error("compiled twice")
	case programOf(t, c, "true", timestamp) == first, programOf(t, c, "true", nil) == first, programOf(t, c, "false", duration) == first:
		t.Error("two share a program")
	}
	if len(first.info.OffsetRanges()) == 0 {
		t.Error("the program does not know its places")
	}
	if _, err := c.CompileCondition("1", policy.Target{}); err == nil {
		t.Error("1 is a condition")
	}
}

// Texts that no policy has any more are dropped, and those in use are kept.
func TestCacheLeaksNothing(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	kept := programOf(t, c, "true", nil)
	for i := range 1_000 {
		programOf(t, c, fmt.Sprintf("%d > 0", i), nil)
	}
	deadline := time.Now().Add(10 * time.Second)
	for c.programs.len() > 1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d programs are left", c.programs.len())
		}
		runtime.GC()
		runtime.Gosched()
	}
	if programOf(t, c, "true", nil) != kept {
		t.Error("a program that is in use was dropped")
	}
	runtime.KeepAlive(kept)
}

// An entry that was replaced before its predecessor was cleaned up stays.
func TestCacheReplaced(t *testing.T) {
	t.Parallel()
	c := newCache()
	key := cacheKey{text: "true"}
	p := &program{}
	c.store(key, p)
	c.drop(key)
	if c.load(key) != p {
		t.Error("dropped a program that is in use")
	}
	runtime.KeepAlive(p)
}

// The compiler answers a panic with a fault.
func TestCompilePanics(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.language.parser = nil
	if _, err := c.CompileCondition("true", policy.Target{}); err == nil {
		t.Error("no error")
	}
}
