package verifier

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A fakeSource accepts every token for an hour, unless it has an error to
// return.
type fakeSource struct {
	epoch  uint64
	renews bool // known entries are returned again
	err    error
	asked  int
	counts counts
}

func (s *fakeSource) statistics() *counts { return &s.counts }

func (s *fakeSource) verify(_ context.Context, p presented) (*entry, error) {
	s.asked++
	if s.err != nil {
		return nil, s.err
	}
	if s.renews && p.known != nil {
		return p.known, nil
	}
	info := &token.Info{Subject: p.raw, Expiry: p.arrived.Add(time.Hour)}
	return &entry{info: info, source: s, epoch: s.epoch}, nil
}

func (s *fakeSource) holds(epoch uint64, _ time.Time) bool { return epoch == s.epoch }

// tokenOf returns what looks like a token of an issuer, with a signature of the
// given length.
func tokenOf(issuer string, length int) string {
	return "AAAA." + jwt.Encoding.EncodeToString([]byte(`{"iss":"`+issuer+`"}`)) + "." + strings.Repeat("A", length)
}

// frontOf returns a front with sources by their issuers.
func frontOf(sources map[string]source, now func() time.Time) *front {
	return &front{router: router{exact: sources}, cache: newCache(10), cutoffs: newCutoffs(Config{}), now: now}
}

// TestFront proves when a token that was verified before is verified again.
func TestFront(t *testing.T) {
	refused := errors.New("refused")
	for _, row := range []struct {
		name   string
		change func(*fakeSource, *time.Time)
		asked  int
		same   bool // the facts are those of the first time
		err    error
	}{
		{"nothing happened", func(*fakeSource, *time.Time) {}, 0, true, nil},
		{"just before it expires", func(_ *fakeSource, now *time.Time) { *now = now.Add(time.Hour - 1) }, 0, true, nil},
		{"expired", func(_ *fakeSource, now *time.Time) { *now = now.Add(time.Hour) }, 1, false, nil},
		{"the clock was set back", func(_ *fakeSource, now *time.Time) { *now = now.Add(-time.Hour) }, 0, true, nil},
		{"another epoch", func(s *fakeSource, _ *time.Time) { s.epoch++ }, 1, false, nil},
		{"another epoch, renewed", func(s *fakeSource, _ *time.Time) { s.epoch++; s.renews = true }, 1, true, nil},
		{"another epoch, refused", func(s *fakeSource, _ *time.Time) { s.epoch++; s.err = refused }, 1, false, refused},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			s := new(fakeSource)
			f := frontOf(map[string]source{"iss": s}, func() time.Time { return now })
			first, err := f.verify(t.Context(), tokenOf("iss", 4), nil)
			if err != nil || s.asked != 1 {
				t.Fatalf("got %v after asking %d times", err, s.asked)
			}
			row.change(s, &now)
			second, err := f.verify(t.Context(), tokenOf("iss", 4), nil)
			if !errors.Is(err, row.err) || s.asked != 1+row.asked || (second == first) != row.same {
				t.Errorf("got %v and %v after asking %d more times", second, err, s.asked-1)
			}
		})
	}
}

// TestFrontRemembersNoRefusal proves that a refused token is verified again,
// and that one that is too long never reaches the source.
func TestFrontRemembersNoRefusal(t *testing.T) {
	s := &fakeSource{err: errors.New("refused")}
	f := frontOf(map[string]source{"iss": s}, time.Now)
	for range 2 {
		if _, err := f.verify(t.Context(), tokenOf("iss", 4), nil); !errors.Is(err, s.err) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := f.verify(t.Context(), tokenOf("iss", token.MaxLength), nil); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("too long: got %v", err)
	}
	if s.asked != 2 {
		t.Errorf("the source was asked %d times, want 2", s.asked)
	}
	if _, err := f.verify(t.Context(), tokenOf("iss", token.MaxLength-len(tokenOf("iss", 0))), nil); !errors.Is(err, s.err) {
		t.Errorf("of the greatest length: got %v", err)
	}
}

// TestFrontOfSeveralSources proves that an entry is judged by the source that
// verified it.
func TestFrontOfSeveralSources(t *testing.T) {
	one, other := new(fakeSource), new(fakeSource)
	f := frontOf(map[string]source{"one": one, "other": other}, time.Now)
	verify := func(issuer string) {
		t.Helper()
		if _, err := f.verify(t.Context(), tokenOf(issuer, 4), nil); err != nil {
			t.Fatal(err)
		}
	}
	verify("one")
	verify("other")
	other.epoch++
	verify("one")
	if one.asked != 1 || other.asked != 1 {
		t.Errorf("the sources were asked %d and %d times", one.asked, other.asked)
	}
	one.epoch++
	verify("one")
	verify("other")
	if one.asked != 2 || other.asked != 2 {
		t.Errorf("then they were asked %d and %d times", one.asked, other.asked)
	}
}
