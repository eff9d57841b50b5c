package verifier_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A tokenRecipe says how to build a token, and what becomes of it. What it does not
// mention is that of a good token, so that a token is refused for no other reason than
// the one that its recipe is about.
//
// Texts are templates. $issuer is the issuer, $upper the same in capitals, $api the
// audience, $attacker the address of an issuer of the attacker, which serves its own keys,
// $listener that of a server that must not be reached, $jwk a key of the issuer, $kid its
// name, $stranger a key of the attacker, $certificate one for that key, $header and
// $claims the members of the two objects, $invalid a byte that is not UTF-8, and $repeat
// what Repeat makes. A number is written "$now", "$now+60" or "$now-60".
type tokenRecipe struct {
	ID       string   `json:"id"`
	Comment  string   `json:"comment"`
	Requires []string `json:"requires"` // requirements, and advisories

	// Of the verifier.
	AcceptTypeJWT bool `json:"acceptTypeJWT"`

	// Of the header and the claims. Key is the algorithm of the issuer's key: ES256 unless
	// it says otherwise. Header and Claims set members, Omit takes them away, such as
	// "header.kid". HeaderText and ClaimsText are the text of an object in place of that.
	Key        string                     `json:"key"`
	Header     map[string]json.RawMessage `json:"header"`
	Claims     map[string]json.RawMessage `json:"claims"`
	Omit       []string                   `json:"omit"`
	HeaderText string                     `json:"headerText"`
	ClaimsText string                     `json:"claimsText"`

	// Signer is who signs, and Signature what is done to the signature afterwards; see
	// the tables of that name. Raw is what becomes of the three segments, $h, $p and $s.
	// By default it is $token, which is "$h.$p.$s".
	Signer    string  `json:"signer"`
	Signature string  `json:"signature"`
	Raw       string  `json:"raw"`
	Repeat    *repeat `json:"repeat"`

	// Want is "accepted", "invalid" or "unavailable", and Reason a part of the error.
	// Facts are those that differ from the facts of a good token. Guard is what an
	// Authorizer makes of the token, if it is not the same. Fetches are those of the keys.
	// Stage is "early" for what is refused without a key, and with little memory, and
	// "late" for what is not looked at before the signature.
	Want    string      `json:"want"`
	Reason  string      `json:"reason"`
	Facts   *tokenFacts `json:"facts"`
	Guard   string      `json:"guard"`
	Fetches int         `json:"fetches"`
	Stage   string      `json:"stage"`
}

// A repeat is a text many times.
type repeat struct {
	Text  string `json:"text"`
	Times int    `json:"times"`
}

func (r *repeat) String() string {
	if r == nil {
		return ""
	}
	return strings.Repeat(r.Text, r.Times)
}

// A tokenFacts holds the facts of a token. Those that are empty are like those of a good
// token.
type tokenFacts struct {
	Subject  string   `json:"subject"`
	ClientID string   `json:"client"`
	Audience []string `json:"audience"`
	Scopes   []string `json:"scopes"`
	Expiry   float64  `json:"expiry"` // of the Info, in seconds since 1970

	NoClient bool `json:"noClient"`
	NoExpiry bool `json:"noExpiry"`
}

// algorithm returns that of the key that the token names.
func (r tokenRecipe) algorithm() string { return cmp.Or(r.Key, "ES256") }

// A tokenWorkshop builds tokens for a fixture.
type tokenWorkshop struct {
	*attackKeys

	fixture *fixture
	replace map[string]string // by placeholder
}

// build returns the token of a recipe.
func (w *tokenWorkshop) build(t *testing.T, r tokenRecipe) string {
	t.Helper()
	algorithm := r.algorithm()
	header := map[string]json.RawMessage{"alg": quoted(algorithm), "typ": quoted("at+jwt"), "kid": quoted(algorithm + "-1")}
	claims := map[string]json.RawMessage{
		"iss": quoted("$issuer"), "sub": quoted("user-1"), "client_id": quoted("client-1"), "aud": quoted("$api"), "scope": quoted("inventory:read"),
		"jti": quoted("token-1"), "iat": quoted("$now"), "exp": quoted("$now+360000"),
	}
	if r.AcceptTypeJWT {
		header["typ"] = quoted("JWT")
	}
	good := maps.Clone(claims)
	maps.Copy(header, r.Header)
	maps.Copy(claims, r.Claims)
	for _, name := range r.Omit {
		if rest, ok := strings.CutPrefix(name, "header."); ok {
			delete(header, rest)
		} else {
			delete(claims, name)
		}
	}
	fill := w.filler(r)
	object := func(text string, members map[string]json.RawMessage) string {
		if text == "" {
			text = "{$members}"
		}
		return fill(strings.NewReplacer("$members", joined(members), "$header", joined(members), "$claims", joined(members)).Replace(text))
	}
	headerText, claimsText := object(r.HeaderText, header), object(r.ClaimsText, claims)
	encode := base64.RawURLEncoding.EncodeToString
	h, p := encode([]byte(headerText)), encode([]byte(claimsText))
	before := h + "." + encode([]byte(object("", good)))
	signature := w.sign(t, r.Signer, signing{algorithm: algorithm, header: headerText, claims: claimsText, input: h + "." + p, before: before})
	alter, ok := signatureChanges[r.Signature]
	if !ok {
		t.Fatalf("there is no change %q", r.Signature)
	}
	s := encode(alter(signature))
	if r.Raw == "" {
		r.Raw = "$token"
	}
	return fill(strings.NewReplacer("$token", h+"."+p+"."+s, "$h", h, "$p", p, "$s", s).Replace(r.Raw))
}

var (
	placeholder = regexp.MustCompile(`\$[a-z]+`)
	relative    = regexp.MustCompile(`"\$now([+-][0-9.]+)?"`)
)

// filler returns a function that fills in the placeholders of a text.
func (w *tokenWorkshop) filler(r tokenRecipe) func(string) string {
	algorithm := r.algorithm()
	replace := maps.Clone(w.replace)
	maps.Copy(replace, map[string]string{
		"$repeat": r.Repeat.String(), "$invalid": "\xff", "$upper": strings.ToUpper(w.replace["$issuer"]), "$kid": algorithm + "-1",
		"$certificate": w.certificates[algorithm],
		"$jwk":         w.published[algorithm].document(algorithm), "$stranger": w.strange[algorithm].document(algorithm),
	})
	return func(text string) string { return fillTemplate(text, replace, w.fixture.Now()) }
}

// fillTemplate fills in the placeholders of a text, and the numbers that are relative to
// the time.
func fillTemplate(text string, replace map[string]string, now time.Time) string {
	text = relative.ReplaceAllStringFunc(text, func(found string) string {
		offset, _ := strconv.ParseFloat(strings.Trim(found, `"$now`), 64)
		return strconv.FormatFloat(float64(now.Unix())+offset, 'f', -1, 64)
	})
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := replace[name]; ok {
			return value
		}
		return name
	})
}

// quoted returns a JSON string of a text without special characters.
func quoted(text string) json.RawMessage { return json.RawMessage(`"` + text + `"`) }

// joined returns the members of a JSON object without the braces, in order.
func joined(values map[string]json.RawMessage) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		texts = append(texts, string(quoted(name))+":"+string(values[name]))
	}
	return strings.Join(texts, ",")
}
