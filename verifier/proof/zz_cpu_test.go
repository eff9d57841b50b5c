package proof_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(1, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func TestZZ(t *testing.T) {
	runtime.LockOSThread()
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 100_000_000, KeyCapacity: 10_000_000}, newStoppedClock().Now)
	f := newDPoPFixture(t, proof.DPoPConfig{Store: &renaming{Store: store}})
	raw := f.prove()
	req := request(raw)
	parsed := must(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256}))
	key := parsed.Signatures[0].Header.JSONWebKey.Key.(*ecdsa.PublicKey)
	dot := strings.LastIndexByte(raw, '.')
	signature := must(base64.RawURLEncoding.DecodeString(raw[dot+1:]))
	input := []byte(raw[:dot])
	g := newDPoPFixture(t, proof.DPoPConfig{DangerouslyAllowReplay: true})
	for range 6 {
		const n = 5000
		a := cpu()
		for range n {
			if err := f.dpop.CheckBinding(t.Context(), f.info, req); err != nil { t.Fatal(err) }
		}
		b := cpu()
		for range n {
			digest := sha256.Sum256(input)
			ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
		}
		c := cpu()
		for range n {
			if err := g.dpop.CheckBinding(t.Context(), f.info, req); err != nil { t.Fatal(err) }
		}
		d := cpu()
		fmt.Printf("dpop %d bare %d ratio %.3f, nostore %d\n", (b-a)/n, (c-b)/n, float64(b-a)/float64(c-b), (d-c)/n)
	}
}
