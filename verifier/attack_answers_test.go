package verifier_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// An answerRecipe says how an authorization server answers about a token (RFC 7662
// §2.2), and what becomes of the token. What it does not mention is that of a good
// answer, so that a token is refused for no other reason than the one that its recipe is
// about.
//
// Texts are templates. $issuer is the issuer, $api the audience, $token the token that is
// asked about, $listener the address of a server that must not be reached, $members the
// members of the answer, $invalid a byte that is not UTF-8, and $repeat what Repeat
// makes. A number is written "$now", "$now+60" or "$now-60".
type answerRecipe struct {
	ID       string   `json:"id"`
	Comment  string   `json:"comment"`
	Requires []string `json:"requires"` // requirements, and advisories

	// Unbound makes the configuration name the audience of tokens without one.
	Unbound bool `json:"unbound"`

	// Of the HTTP response. Members are set in the answer, and Omit takes some away. Body
	// is its text in place of that. Transfer is how it is sent; see the table of that name.
	Status   int                        `json:"status"`
	Headers  map[string]string          `json:"headers"`
	Members  map[string]json.RawMessage `json:"members"`
	Omit     []string                   `json:"omit"`
	Body     string                     `json:"body"`
	Repeat   *repeat                    `json:"repeat"`
	Transfer string                     `json:"transfer"`

	// Want is "accepted", "invalid" or "unavailable", and Reason a part of the error.
	// Facts are those that differ from the facts of a good answer. Guard is what an
	// Authorizer makes of the token, if it is not the same.
	Want   string      `json:"want"`
	Reason string      `json:"reason"`
	Facts  *tokenFacts `json:"facts"`
	Guard  string      `json:"guard"`
}

// body returns the text of the answer about a token.
func (r answerRecipe) body(raw string, replace map[string]string, now time.Time) string {
	members := map[string]json.RawMessage{
		"active": json.RawMessage("true"), "iss": quoted("$issuer"), "sub": quoted("user-1"), "client_id": quoted("client-1"), "aud": quoted("$api"),
		"scope": quoted("inventory:read"), "token_type": quoted("Bearer"), "iat": quoted("$now"), "exp": quoted("$now+360000"),
	}
	maps.Copy(members, r.Members)
	for _, name := range r.Omit {
		delete(members, name)
	}
	text := r.Body
	if text == "" {
		text = "{$members}"
	}
	all := map[string]string{"$token": raw, "$invalid": "\xff", "$repeat": r.Repeat.String()}
	maps.Copy(all, replace)
	return fillTemplate(strings.ReplaceAll(text, "$members", joined(members)), all, now)
}

// answerTransfers are the ways in which an answer is sent.
var answerTransfers = map[string]func(w http.ResponseWriter, body []byte){
	"": func(w http.ResponseWriter, body []byte) { _, _ = w.Write(body) },
	"chunks": func(w http.ResponseWriter, body []byte) {
		for chunk := range slices.Chunk(body, 7) {
			_, _ = w.Write(chunk)
			_ = http.NewResponseController(w).Flush()
		}
	},
	"gzip": func(w http.ResponseWriter, body []byte) {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body)
		_ = writer.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	},
	"half of gzip": func(w http.ResponseWriter, body []byte) {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body)
		_ = writer.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes()[:packed.Len()/2])
	},
	// The connection breaks in the middle, after the last byte of the body, or before the
	// number of bytes that was announced.
	"half": func(w http.ResponseWriter, body []byte) {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	},
	"no end": func(w http.ResponseWriter, body []byte) {
		_, _ = w.Write(body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	},
	"short": func(w http.ResponseWriter, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		_, _ = w.Write(body)
	},
	"nothing": func(http.ResponseWriter, []byte) { panic(http.ErrAbortHandler) },
}

// TestAttackAnswers asks about a token, and gets the answers of testdata/answers.json.
func TestAttackAnswers(t *testing.T) {
	server := newAttackServer(t, &attackKeys{strange: newKeySet(t)})
	for _, r := range vectors.Read[answerRecipe](t, "testdata/answers.json") {
		t.Run(r.ID, func(t *testing.T) {
			o := newOpaque(t, func(c *verifier.Config) {
				if r.Unbound {
					c.Introspection[0].AudienceOfUnbound = api
				}
			})
			runAnswer(t, o, r, map[string]string{"$issuer": o.issuer.URL, "$api": api, "$listener": "http://" + server.listener.Addr().String()})
			server.isUntouched(t)
		})
	}
}

// serve makes the authorization server answer as a recipe says.
func (o *opaque) serve(t *testing.T, r answerRecipe, raw string, replace map[string]string) {
	t.Helper()
	transfer, ok := answerTransfers[r.Transfer]
	if !ok {
		t.Fatalf("there is no transfer %q", r.Transfer)
	}
	body := []byte(r.body(raw, replace, o.Now()))
	o.issuer.HandleIntrospection(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.FormValue("token") != raw {
			http.Error(w, "another token", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		for name, value := range r.Headers {
			w.Header().Set(name, fillTemplate(value, replace, o.Now()))
		}
		if r.Status != 0 {
			w.WriteHeader(r.Status)
		}
		transfer(w, body)
	}))
}

func runAnswer(t *testing.T, o *opaque, r answerRecipe, replace map[string]string) {
	t.Helper()
	known, raw := "known-token-0123456789abcdef", "an-opaque-token-0123456789abcdef"
	o.serve(t, answerRecipe{}, known, replace)
	good := wants(t, o.verifier, known, o.resource, nil)
	o.serve(t, r, raw, replace)
	var info *token.Info
	var err error
	o.asks(t, 1, func() { info, err = o.verifier.VerifyToken(t.Context(), raw, o.resource) })
	checkResult(t, raw, info, err)
	if err != nil && (strings.Contains(err.Error(), raw) || strings.Contains(err.Error(), secret)) {
		t.Errorf("the error holds the token or the secret: %v", err)
	}
	again := 0 // requests for the same token afterwards: answers are remembered, outages are not
	switch r.Want {
	case "accepted":
		if err != nil {
			t.Fatalf("got %v, want facts", err)
		}
		checkFacts(t, info, good, r.Facts)
	case "invalid":
		if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), fillTemplate(r.Reason, replace, o.Now())) {
			t.Errorf("got %+v and %v, want an invalid token because of %q", info, err, r.Reason)
		}
	case "unavailable":
		if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), r.Reason) {
			t.Errorf("got %+v and %v, want no answer because of %q", info, err, r.Reason)
		}
		again = 1
	default:
		t.Fatalf("there is no result %q", r.Want)
	}
	o.asks(t, again, func() { checkAnswerGuard(t, o, r, raw) })
	o.asks(t, 0, func() {
		if after := wants(t, o.verifier, known, o.resource, nil); after != good {
			t.Errorf("a token that is known: got %p, want the same %p", after, good)
		}
	})
}

// checkAnswerGuard is checkGuard for an opaque token.
func checkAnswerGuard(t *testing.T, o *opaque, r answerRecipe, raw string) {
	t.Helper()
	want := r.Guard
	if want == "" {
		want = map[string]string{"accepted": "accepted", "invalid": "invalid_token", "unavailable": "unavailable"}[r.Want]
	}
	denial := newGuard(t, o.verifier, o.issuer.URL).decide(t, raw)
	if denial == nil {
		if want != "accepted" {
			t.Errorf("the Authorizer accepts the token, want %s", want)
		}
		return
	}
	if got := denial.Reason.String(); got != want {
		t.Fatalf("the Authorizer says %s because of %v, want %s", got, denial.Cause, want)
	}
	if r.Guard != "" {
		return
	}
	class := token.ErrInvalid
	if want == "unavailable" {
		class = token.ErrUnavailable
	}
	if got, want := answerOf(denial), answerOf(newGuard(t, classOnly{class}, o.issuer.URL).decide(t, "AA")); got != want {
		t.Errorf("the caller reads\n%s\nwant\n%s", got, want)
	}
}

// TestAnswerCorpus is TestAttackCorpus for the answers.
func TestAnswerCorpus(t *testing.T) {
	number := make(map[string]int)
	ids := make(map[string]bool)
	for _, r := range vectors.Read[answerRecipe](t, "testdata/answers.json") {
		if ids[r.ID] || r.Comment == "" || len(r.Requires) == 0 || len(r.Reason) < 3 && r.Want != "accepted" {
			t.Errorf("%s is there twice, or has no comment, requirement or reason", r.ID)
		}
		ids[r.ID] = true
		number[r.Want]++
	}
	if len(ids) < 50 || number["accepted"] < 15 || number["invalid"] < 15 || number["unavailable"] < 15 {
		t.Errorf("got %v", number)
	}
}
