package wwwauth_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// parseVector is an entry of testdata/parse.json. If Challenges is absent, Reason,
// Line and Offset are those of the expected error.
type parseVector struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Source     string            `json:"source"`
	Values     []string          `json:"values"`
	Challenges []challengeVector `json:"challenges"`
	Reason     wwwauth.Reason    `json:"reason"`
	Line       int               `json:"line"`
	Offset     int               `json:"offset"`
}

// buildVector is an entry of testdata/build.json.
type buildVector struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Source    string          `json:"source"`
	Challenge challengeVector `json:"challenge"`
	Header    string          `json:"header"`
}

// challengeVector is a challenge; its parameters are pairs of name and value.
type challengeVector struct {
	Scheme  string      `json:"scheme"`
	Token68 string      `json:"token68"`
	Params  [][2]string `json:"params"`
}

func (v challengeVector) challenge() wwwauth.Challenge {
	c := wwwauth.Challenge{Scheme: v.Scheme, Token68: v.Token68}
	for _, p := range v.Params {
		c.Params = append(c.Params, wwwauth.Param{Name: p[0], Value: p[1]})
	}
	return c
}

func parseVectors(tb testing.TB) []parseVector {
	tb.Helper()
	return vectors.Read[parseVector](tb, "testdata/parse.json")
}

func buildVectors(tb testing.TB) []buildVector {
	tb.Helper()
	return vectors.Read[buildVector](tb, "testdata/build.json")
}
