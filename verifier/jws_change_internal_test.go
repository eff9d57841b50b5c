package verifier

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// segmentChanges change a segment as it is written.
var segmentChanges = map[string]func(segment string) string{
	"empty":          func(string) string { return "" },
	"padding":        func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) },
	"more padding":   func(s string) string { return s + "====" },
	"space after":    func(s string) string { return s + " " },
	"space before":   func(s string) string { return " " + s },
	"tab after":      func(s string) string { return s + "\t" },
	"newline after":  func(s string) string { return s + "\n" },
	"newline inside": func(s string) string { return s[:4] + "\n" + s[4:] },
	"return inside":  func(s string) string { return s[:4] + "\r" + s[4:] },
	"nul after":      func(s string) string { return s + "\x00" },
	"letter after":   func(s string) string { return s + "A" },
	"four after":     func(s string) string { return s + "AAAA" },
	"standard":       func(s string) string { return s[:4] + "+/" + s[6:] },
	"percent":        func(s string) string { return s + "%3D" },
	"not ASCII":      func(s string) string { return s[:4] + "\u00e4" + s[6:] },
	// Another last letter, whose last bit is not used if the length is no multiple of four.
	"last letter": func(s string) string {
		return s[:len(s)-1] + string(base64Alphabet[strings.IndexByte(base64Alphabet, s[len(s)-1])^1])
	},
}

// byteChanges change what a segment stands for.
var byteChanges = map[string]func(data []byte) []byte{
	"first bit": func(data []byte) []byte { return flipped(data, 0, 0x80) },
	"last bit":  func(data []byte) []byte { return flipped(data, len(data)-1, 1) },
	"truncated": func(data []byte) []byte { return data[:len(data)-1] },
	"beheaded":  func(data []byte) []byte { return data[1:] },
	"half":      func(data []byte) []byte { return data[:len(data)/2] },
	"one byte":  func(data []byte) []byte { return data[:1] },
	"extended":  func(data []byte) []byte { return append(bytes.Clone(data), 0) },
	"prefixed":  func(data []byte) []byte { return append([]byte{0}, data...) },
	"zeros":     func(data []byte) []byte { return make([]byte, len(data)) },
	"ones":      func(data []byte) []byte { return bytes.Repeat([]byte{0xff}, len(data)) },
	"one":       func(data []byte) []byte { return append(make([]byte, len(data)-1), 1) },
	"twice":     func(data []byte) []byte { return append(bytes.Clone(data), data...) },
	"reversed":  func(data []byte) []byte { r := bytes.Clone(data); slices.Reverse(r); return r },
	"swapped": func(data []byte) []byte {
		return append(bytes.Clone(data[len(data)/2:]), data[:len(data)/2]...)
	},
	"DER": func(data []byte) []byte {
		r, s := halves(data)
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			panic(err)
		}
		return der
	},
	// The two numbers with a byte more each, and with one less, if that is zero.
	"wide": func(data []byte) []byte {
		r, s := halves(data)
		return pair(r, s, len(data)/2+1)
	},
	"without zeros": func(data []byte) []byte {
		r, s := halves(data)
		return append(r.Bytes(), s.Bytes()...)
	},
	// The order of the group is added to the second number of a signature with EdDSA.
	"group added": func(data []byte) []byte {
		group, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		s := bytes.Clone(data[32:])
		slices.Reverse(s) // It is little-endian.
		s = new(big.Int).Add(new(big.Int).SetBytes(s), group).FillBytes(make([]byte, 32))
		slices.Reverse(s)
		return append(bytes.Clone(data[:32]), s...)
	},
}

// numberChanges change the two numbers of a signature with ECDSA, given the order of the
// group.
var numberChanges = map[string]func(r, s, order *big.Int){
	"r zero":        func(r, _, _ *big.Int) { r.SetInt64(0) },
	"s zero":        func(_, s, _ *big.Int) { s.SetInt64(0) },
	"r and s one":   func(r, s, _ *big.Int) { r.SetInt64(1); s.SetInt64(1) },
	"r order":       func(r, _, order *big.Int) { r.Set(order) },
	"s order":       func(_, s, order *big.Int) { s.Set(order) },
	"r and s order": func(r, s, order *big.Int) { r.Set(order); s.Set(order) },
	"r plus order":  func(r, _, order *big.Int) { r.Add(r, order) },
	"s plus order":  func(_, s, order *big.Int) { s.Add(s, order) },
	"r negated":     func(r, _, order *big.Int) { r.Sub(order, r) },
	"s negated":     func(_, s, order *big.Int) { s.Sub(order, s) },
	"both negated":  func(r, s, order *big.Int) { r.Sub(order, r); s.Sub(order, s) },
}

func flipped(data []byte, at int, mask byte) []byte {
	data = bytes.Clone(data)
	data[at] ^= mask
	return data
}

func halves(data []byte) (r, s *big.Int) {
	return new(big.Int).SetBytes(data[:len(data)/2]), new(big.Int).SetBytes(data[len(data)/2:])
}

func pair(r, s *big.Int, size int) []byte {
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// changeJWS applies a change, "<segment>: <name>", to a JWS that was signed with a key.
func changeJWS(t *testing.T, raw, change string, key any) string {
	t.Helper()
	segments := strings.Split(raw, ".")
	place, name, _ := strings.Cut(change, ": ")
	at := slices.Index([]string{"header", "payload", "signature"}, place)
	if at < 0 {
		t.Fatalf("there is no segment %q", place)
	}
	if rewrite, ok := segmentChanges[name]; ok {
		segments[at] = rewrite(segments[at])
		return strings.Join(segments, ".")
	}
	data, err := base64.RawURLEncoding.DecodeString(segments[at])
	if err != nil {
		t.Fatal(err)
	}
	switch private := key.(type) {
	case *ecdsa.PrivateKey:
		if calculate, ok := numberChanges[name]; ok {
			r, s := halves(data)
			calculate(r, s, private.Params().N)
			segments[at] = jwt.Encoding.EncodeToString(pair(r, s, len(data)/2))
			return strings.Join(segments, ".")
		}
	case *rsa.PrivateKey:
		if factor, ok := strings.CutPrefix(name, "modulus added "); ok {
			times, _ := strconv.ParseInt(factor, 10, 64)
			number := new(big.Int).SetBytes(data)
			number.Add(number, new(big.Int).Mul(private.N, big.NewInt(times)))
			segments[at] = jwt.Encoding.EncodeToString(number.Bytes())
			return strings.Join(segments, ".")
		}
	}
	edit, ok := byteChanges[name]
	if !ok {
		t.Fatalf("there is no change %q", name)
	}
	segments[at] = jwt.Encoding.EncodeToString(edit(data))
	return strings.Join(segments, ".")
}
