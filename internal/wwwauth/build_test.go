package wwwauth_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, v := range buildVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			c := v.Challenge.challenge()
			if got := c.String(); got != v.Header {
				t.Errorf("String: got  %s\n want %s", got, v.Header)
			}
			if got := string(wwwauth.Append([]byte("before"), c)); got != "before"+v.Header {
				t.Errorf("Append: got  %s\n want before%s", got, v.Header)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	c := typicalChallenge()
	buf := make([]byte, 0, 1024)
	tests := []struct {
		name string
		want float64
		run  func()
	}{
		{"Append with room", 0, func() { buf = wwwauth.Append(buf[:0], c) }},
		{"String", 1, func() { _ = c.String() }},
		{"CleanDescription of clean text", 0, func() { _ = wwwauth.CleanDescription("The access token expired") }},
		{"ValidScopeToken", 0, func() { _ = wwwauth.ValidScopeToken("inventory:read") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got != tt.want {
				t.Errorf("got %v allocations, want %v", got, tt.want)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	c := typicalChallenge()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = wwwauth.Append(buf[:0], c)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParse(b *testing.B) {
	values := []string{typicalChallenge().String()}
	b.SetBytes(int64(len(values[0])))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wwwauth.Parse(values); err != nil {
			b.Fatal(err)
		}
	}
}

func typicalChallenge() wwwauth.Challenge {
	return wwwauth.Challenge{Scheme: "Bearer", Params: []wwwauth.Param{
		{Name: "realm", Value: "inventory.v1.InventoryService"},
		{Name: "error", Value: "insufficient_scope"},
		{Name: "error_description", Value: "The access token lacks a scope that this method requires."},
		{Name: "scope", Value: "inventory:read inventory:write"},
		{Name: "resource_metadata", Value: "https://api.example.com/.well-known/oauth-protected-resource/mcp"},
	}}
}
