package proof_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// A dpopVector is a recipe for a proof and the request that it comes with, and the
// expected result. What it does not mention is right.
type dpopVector struct {
	Name string `json:"name"`

	// Of the configuration, the token and the request.
	Nonces bool            `json:"nonces"`
	Cnf    json.RawMessage `json:"cnf"`
	Method string          `json:"method"`
	URL    string          `json:"url"`

	// Of the proof. Header and Payload are templates, Set and Omit change claims,
	// and Age is subtracted from the time for iat. Signer is the algorithm of the
	// client's key, or "stranger" for one to which the token is not bound. Alter is
	// a change to the result, and Fields has a template for each value of the field.
	Header  string                     `json:"header"`
	Payload string                     `json:"payload"`
	Set     map[string]json.RawMessage `json:"set"`
	Omit    []string                   `json:"omit"`
	Age     string                     `json:"age"`
	Signer  string                     `json:"signer"`
	Alter   string                     `json:"alter"`
	Fields  []string                   `json:"fields"`

	Want   string `json:"want"` // a code, "" if the proof is accepted
	Reason string `json:"reason"`
}

// vectorAlterations are the changes that an attacker makes to a proof.
var vectorAlterations = map[string]func(raw string, key *authtest.ProofKey) string{
	"":                func(raw string, _ *authtest.ProofKey) string { return raw },
	"tamper":          func(raw string, _ *authtest.ProofKey) string { return authtest.Tamper(raw) },
	"malleable":       func(raw string, _ *authtest.ProofKey) string { return malleable(raw) },
	"zero signature":  func(raw string, _ *authtest.ProofKey) string { return resigned(raw, make([]byte, 64)) },
	"short signature": func(raw string, _ *authtest.ProofKey) string { return resigned(raw, make([]byte, 3)) },
	"no signature":    func(raw string, _ *authtest.ProofKey) string { return resigned(raw, nil) },
	"bad signature":   func(raw string, _ *authtest.ProofKey) string { return resigned(raw, nil) + "A+AA" },
	"space":           func(raw string, _ *authtest.ProofKey) string { return " " + raw },
	"newline":         func(raw string, _ *authtest.ProofKey) string { return raw + "\n" },
	"segment":         func(raw string, _ *authtest.ProofKey) string { return raw + ".AAAA" },
	"no segment":      func(raw string, _ *authtest.ProofKey) string { return raw[:strings.LastIndexByte(raw, '.')] },
	"dots":            func(string, *authtest.ProofKey) string { return strings.Repeat(".", 10_000) },
	"few dots":        func(string, *authtest.ProofKey) string { return strings.Repeat(".", 8_000) },
	"megabyte":        func(raw string, _ *authtest.ProofKey) string { return raw + strings.Repeat("A", 1<<20) },
	"empty":           func(string, *authtest.ProofKey) string { return "" },
	"bad header":      func(raw string, _ *authtest.ProofKey) string { return "A+AA" + raw[strings.IndexByte(raw, '.'):] },
	"bad payload": func(raw string, _ *authtest.ProofKey) string {
		parts := strings.Split(raw, ".")
		return parts[0] + ".A+AA." + parts[2]
	},
	"second spelling": func(raw string, _ *authtest.ProofKey) string {
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", raw[len(raw)-1])
		return raw[:len(raw)-1] + "BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last:last+1]
	},
	"json": func(raw string, _ *authtest.ProofKey) string {
		parts := strings.Split(raw, ".")
		return `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	},
	"none":  func(_ string, key *authtest.ProofKey) string { return algorithmProof(key, "none") },
	"hs256": func(_ string, key *authtest.ProofKey) string { return algorithmProof(key, "HS256") },
}

func algorithmProof(key *authtest.ProofKey, algorithm string) string {
	return key.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, Algorithm: algorithm})
}

// resigned replaces the signature of a proof.
func resigned(raw string, signature []byte) string {
	return raw[:strings.LastIndexByte(raw, '.')+1] + encode(signature)
}

// malleable returns the other ES256 signature of the same key over the same proof:
// the second number of it is negated.
func malleable(raw string) string {
	signature, err := base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:])
	if err != nil {
		panic(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return resigned(raw, signature)
}

// A vectorRun makes what a vector describes.
type vectorRun struct {
	*dpopFixture // for its clock

	keys map[string]*authtest.ProofKey
}

func newVectorRun(t *testing.T) *vectorRun {
	t.Helper()
	return &vectorRun{newDPoPFixture(t, proof.DPoPConfig{}), map[string]*authtest.ProofKey{
		"": authtest.NewProofKey(t, "ES256"), "stranger": authtest.NewProofKey(t, "ES256"),
		"RS256": authtest.NewProofKey(t, "RS256"), "EdDSA": authtest.NewProofKey(t, "EdDSA"),
	}}
}

// keyOf returns the key that signs, and that to which the token is bound.
func (r *vectorRun) keyOf(v dpopVector) (signer, bound *authtest.ProofKey) {
	if v.Signer == "stranger" {
		return r.keys[v.Signer], r.keys[""]
	}
	return r.keys[v.Signer], r.keys[v.Signer]
}

func (r *vectorRun) infoOf(t *testing.T, v dpopVector) *token.Info {
	t.Helper()
	_, bound := r.keyOf(v)
	info := &token.Info{Confirmation: bound.Confirmation()}
	if v.Cnf != nil {
		info.Confirmation = nil
		if err := json.Unmarshal(v.Cnf, &info.Confirmation); err != nil {
			t.Fatal(err)
		}
	}
	return info
}

// proofsOf returns the values of the field.
func (r *vectorRun) proofsOf(t *testing.T, v dpopVector, nonce string) []string {
	t.Helper()
	signer, bound := r.keyOf(v)
	quoted := func(s string) json.RawMessage { return json.RawMessage(`"` + s + `"`) }
	claims := map[string]json.RawMessage{
		"htm": quoted("POST"), "htu": quoted(listItems), "jti": quoted(encode([]byte(v.Name))), "ath": quoted(hashOf(boundRaw)),
	}
	age, err := time.ParseDuration(v.Age + "0s")
	if err != nil {
		t.Fatal(err)
	}
	claims["iat"] = json.RawMessage(fmt.Sprintf("%.3f", float64(r.Now().Add(-age).UnixMilli())/1e3))
	if v.Nonces {
		claims["nonce"] = quoted(nonce)
	}
	maps.Copy(claims, v.Set)
	for _, name := range v.Omit {
		delete(claims, name)
	}
	algorithm := strings.Replace(v.Signer, "stranger", "", 1)
	if algorithm == "" {
		algorithm = "ES256"
	}
	fill := strings.NewReplacer(
		"$claims", members(claims), "$iat", string(claims["iat"]), "$alg", algorithm,
		"$jwk", "{"+members(bound.JWK())+"}", "$members", members(bound.JWK()), "$private", "{"+members(bound.PrivateJWK())+"}",
		"$stranger", "{"+members(r.keys["stranger"].JWK())+"}", "$deep", strings.Repeat("[", 65)+strings.Repeat("]", 65),
		"$many", "["+strings.Repeat("0,", 1100)+"0]", "$long", strings.Repeat("x", 300), "$padding", strings.Repeat("x", 3000), "$huge", strings.Repeat("9", 1000),
	).Replace
	if v.Header == "" {
		v.Header = `{"typ":"dpop+jwt","alg":"$alg","jwk":$jwk}`
	}
	if v.Payload == "" {
		v.Payload = "{$claims}"
	}
	alter, ok := vectorAlterations[v.Alter]
	if !ok {
		t.Fatalf("there is no alteration %q", v.Alter)
	}
	raw := alter(signer.Sign(fill(v.Header), fill(v.Payload)), signer)
	if v.Fields == nil {
		v.Fields = []string{"$proof"}
	}
	values := slices.Clone(v.Fields)
	for i, value := range values {
		values[i] = strings.ReplaceAll(value, "$proof", raw)
	}
	return values
}

// TestDPoPVectors sends the proofs of an attacker, and unusual ones of honest
// clients (R9449-4.3). It does so to a DPoP that has not seen the keys before, and
// to one that knows them.
func TestDPoPVectors(t *testing.T) {
	t.Parallel()
	all := vectors.Read[dpopVector](t, "testdata/dpop.json")
	r := newVectorRun(t)
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			for _, known := range []bool{false, true} {
				runVector(t, r, v, known)
			}
		})
	}
}

func runVector(t *testing.T, r *vectorRun, v dpopVector, known bool) {
	t.Helper()
	config := proof.DPoPConfig{Algorithms: []string{"ES256", "EdDSA", "RS256"}}
	if v.Nonces {
		config.NonceKeys = [][]byte{[]byte("an HMAC key of at least 32 bytes")}
	}
	store := newStore(t, proof.MemoryStoreConfig{}, r.Now)
	config.Store = store
	d := r.replica(t, config)
	nonce := ""
	if v.Nonces {
		nonce = refusalOf(t, checkBinding(t, d, r.infoOf(t, dpopVector{}), request())).Nonce
	}
	if known {
		good := dpopVector{Name: "before", Signer: v.Signer, Nonces: v.Nonces}
		if v.Signer == "stranger" {
			good.Signer = ""
		}
		if err := checkBinding(t, d, r.infoOf(t, good), request(r.proofsOf(t, good, nonce)...)); err != nil {
			t.Fatalf("a good proof: %v", err)
		}
	}
	before, _ := store.Records()
	req := request(r.proofsOf(t, v, nonce)...)
	if v.Method != "" {
		req.Method = v.Method
	}
	if v.URL != "" {
		req.URL = v.URL
	}
	err := checkBinding(t, d.ValidateOnly(), r.infoOf(t, v), req)
	wantCode(t, err, v.Want, v.Reason)
	if after, _ := store.Records(); after != before {
		t.Error("R9449-11.1: ValidateOnly used the proof up")
	}
	err = checkBinding(t, d, r.infoOf(t, v), req)
	wantCode(t, err, v.Want, v.Reason)
	after, _ := store.Records()
	if used := after - before; used != 0 && v.Want != "" || used != 1 && v.Want == "" {
		t.Errorf("R9449-11.1: %d records more", used)
	}
	if v.Want == "" {
		wantReplay(t, checkBinding(t, d, r.infoOf(t, v), req))
	} else if v.Want != "invalid_token" {
		if got := refusalOf(t, err).Nonce; got != nonce {
			t.Errorf("R9449-9: got the nonce %q, want %q", got, nonce)
		}
	}
}
