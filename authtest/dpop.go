package authtest

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proofLeeway is how old a DPoP proof may be, or how far in the future.
const proofLeeway = time.Minute

// proofAlgorithms are those of a proof at the token endpoint.
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

func invalidProof(reason string) *refusal { return badRequest("invalid_dpop_proof", reason) }

// confirmation returns the cnf claim of the token that a token request is granted:
// the key of its DPoP proof, or nil without a proof (RFC 9449 §5).
func (i *Issuer) confirmation(r *http.Request, known Client) (map[string]any, *refusal) {
	proofs := r.Header.Values("DPoP")
	switch {
	case len(proofs) > 1:
		return nil, invalidProof("there are several DPoP proofs")
	case len(proofs) == 1:
		return i.checkProof(proofs[0])
	case known.DPoPBound:
		return nil, invalidProof("the client must send a DPoP proof")
	default:
		return known.Token.Confirmation, nil
	}
}

// checkProof returns the key of a DPoP proof for the token endpoint as a cnf claim
// (RFC 9449 §4.3).
func (i *Issuer) checkProof(raw string) (map[string]any, *refusal) {
	signed, err := jose.ParseSignedCompact(raw, proofAlgorithms)
	if err != nil {
		return nil, invalidProof("the proof is not a JWT with an asymmetric signature")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" {
		return nil, invalidProof("the typ of the proof is wrong")
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return nil, invalidProof("the proof has no public key")
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return nil, invalidProof("the signature of the proof is wrong")
	}
	thumbprint, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, invalidProof("the key of the proof has no thumbprint")
	}
	jkt := base64.RawURLEncoding.EncodeToString(thumbprint)
	if reason := i.proofFault(payload, jkt); reason != "" {
		return nil, invalidProof(reason)
	}
	return map[string]any{"jkt": jkt}, nil
}

// proofFault says what is wrong with the claims of a proof.
func (i *Issuer) proofFault(payload []byte, jkt string) string {
	var claims struct {
		Method string   `json:"htm"`
		Target string   `json:"htu"`
		Issued *float64 `json:"iat"`
		ID     string   `json:"jti"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "a claim of the proof has the wrong type"
	}
	if end := strings.IndexAny(claims.Target, "?#"); end >= 0 {
		claims.Target = claims.Target[:end]
	}
	switch {
	case claims.Method != http.MethodPost || claims.Target != i.URL+tokenPath:
		return "the proof is for another request"
	case claims.Issued == nil || time.Since(time.Unix(int64(*claims.Issued), 0)).Abs() > proofLeeway:
		return "the proof is too old or of the future, or has no iat"
	case claims.ID == "" || !i.useOnce("proof", jkt, claims.ID):
		return "the proof has no jti, or was used before"
	default:
		return ""
	}
}
