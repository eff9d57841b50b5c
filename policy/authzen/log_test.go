package authzen_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

// TestLog: an outage is logged when it begins and when it ends, and never what was asked.
func TestLog(t *testing.T) {
	t.Parallel()
	p, now := newPDP(t), newClock()
	var records recorder
	point, err := authzen.NewAt(authzen.Config{URL: p.URL, BearerToken: "hush", Logger: records.logger()}, now.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := condition(t, point, about("request.account_id"))
	step := func(name string, times int, want ...string) {
		t.Helper()
		for range times {
			outcome(c.Holds(t.Context(), ada(pay(t, `account_id: "`+secret+`"`))))
		}
		lines := records.lines()
		if len(lines) != len(want) {
			t.Errorf("%s: got %q", name, lines)
			return
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) || !strings.Contains(line, p.URL) || strings.Contains(line, secret) || strings.Contains(line, "hush") {
				t.Errorf("%s: got %q", name, line)
			}
		}
	}
	const again = `level=INFO msg="authzen: the policy decision point answers again"`
	step("it answers", 3)
	p.answer(says(500, "text/plain", secret))
	step("an outage", 5, `level=WARN msg="authzen: the policy decision point does not answer; calls that need it are unavailable"`)
	now.Move(time.Hour)
	step("still", 5)
	p.answer(says(401, "text/plain", secret))
	step("refused", 5, `level=ERROR msg="authzen: the policy decision point refuses the credentials of this server`)
	p.answer(says(403, "text/plain", secret))
	now.Move(time.Hour)
	step("refused otherwise", 5)
	p.answer(nil)
	step("it answers again", 5, again)

	// A caller whose questions alone fail does not fill the log.
	for range 5 {
		for _, status := range []int{400, 500} {
			p.answer(says(status, "text/plain", ""))
			step("flapping", 1)
			p.answer(nil)
			step("flapping", 1)
		}
	}
	p.answer(says(400, "text/plain", ""))
	now.Move(time.Hour)
	step("a question that it rejects", 5)
	now.Move(time.Second)
	p.answer(saysJSON(`{}`))
	step("a malformed answer", 2, "the answer has no decision that is a boolean")
	now.Move(time.Second)
	p.answer(nil)
	step("the end", 2, again)
}

// TestTokenSourceFails: its error is in the log, and nothing is asked.
func TestTokenSourceFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw  string
		err  error
		want string
	}{
		"an error":        {"", errors.New("no\nmetadata"), "no token for it: no\ufffdmetadata"},
		"a long error":    {"", errors.New(strings.Repeat("é", 1000)), "é…"},
		"nothing":         {"", nil, "no token for it: what TokenSource returned is empty"},
		"two header rows": {"a\r\nb: c", nil, "holds a character that no token has"},
	} {
		p := newPDP(t)
		point := newPoint(t, p, func(c *authzen.Config) {
			c.TokenSource = func(context.Context) (string, error) { return tt.raw, tt.err }
		})
		_, err := condition(t, point, about("'1'")).Holds(t.Context(), ada(nil))
		if outcome(false, err) != unavailable || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 || p.requests.Load() != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
