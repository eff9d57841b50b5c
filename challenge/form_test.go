package challenge_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// realm is a form that shows for which denial it was built, and when.
type realm struct {
	text string
	n    int64
}

var (
	built     atomic.Int64
	realmForm = challenge.NewForm(func(denial *challenge.DenialError) *realm {
		return &realm{denial.Challenge.Realm, built.Add(1)}
	})
)

// keepsForm reports whether a denial keeps its forms.
func keepsForm(denial *challenge.DenialError) bool {
	first := realmForm.Of(denial)
	return realmForm.Of(denial) == first
}

// prebuilt returns a denial that keeps its forms.
func prebuilt() *challenge.DenialError {
	return (&challenge.DenialError{Reason: challenge.ReasonNoCredentials, Challenge: challenge.Challenge{Realm: "a.v1.A"}}).Prebuilt()
}

// TestFormIsKept: a denial keeps its forms if it is prebuilt, and a copy keeps
// nothing, because callers determine how many copies there are (SEED-7).
func TestFormIsKept(t *testing.T) {
	t.Parallel()
	copied := func(denial *challenge.DenialError) *challenge.DenialError {
		c := *denial
		return &c
	}
	cause := errors.New("why")
	for _, tt := range []struct {
		name   string
		denial *challenge.DenialError
		want   bool
	}{
		{"the zero denial", new(challenge.DenialError), false},
		{"a new denial", challenge.NewDenial(challenge.ReasonInvalidToken, nil), false},
		{"a new denial with a cause", challenge.NewDenial(challenge.ReasonInvalidToken, nil).WithCause(cause), false},
		{"prebuilt", prebuilt(), true},
		{"prebuilt twice", prebuilt().Prebuilt(), true},
		{"prebuilt with a cause", prebuilt().WithCause(cause), true},
		{"prebuilt with two causes", prebuilt().WithCause(cause).WithCause(nil), true},
		{"a copy", copied(prebuilt()), false},
		{"a copy of one with a cause", copied(prebuilt().WithCause(cause)), false},
		{"a copy with a cause", copied(prebuilt()).WithCause(cause), false},
		{"a copy, prebuilt", copied(prebuilt()).Prebuilt(), true},
		{"the denial in an error", challenge.DenialOf(errors.Join(cause, copied(prebuilt()))), false},
	} {
		if got := keepsForm(tt.denial); got != tt.want {
			t.Errorf("SEED-7: %s: keeps forms %t, want %t", tt.name, got, tt.want)
		}
	}
}

// TestFormOfChangedCopy: a copy that was changed has forms of its own.
func TestFormOfChangedCopy(t *testing.T) {
	t.Parallel()
	original := prebuilt()
	kept := realmForm.Of(original)
	changed := *original
	changed.Challenge.Realm = "b.v1.B"
	for name, denial := range map[string]*challenge.DenialError{
		"changed": &changed, "changed, with a cause": changed.WithCause(nil), "changed, prebuilt": changed.Prebuilt(),
	} {
		if got := realmForm.Of(denial); got.text != "b.v1.B" {
			t.Errorf("SEED-7: %s: got the form of %s", name, got.text)
		}
	}
	if got := realmForm.Of(original); got != kept {
		t.Error("the original has another form")
	}
}

// TestWithCauseSharesForms: whichever of them is asked first, and without a
// change to the original.
func TestWithCauseSharesForms(t *testing.T) {
	t.Parallel()
	original := prebuilt()
	cause := errors.New("why")
	with := original.WithCause(cause)
	if realmForm.Of(with) != realmForm.Of(original) || realmForm.Of(original) != realmForm.Of(original.WithCause(nil)) {
		t.Error("the forms are not shared")
	}
	if original.Cause != nil || !errors.Is(with, cause) || with.Challenge.Realm != original.Challenge.Realm {
		t.Errorf("got the causes %v and %v", original.Cause, with.Cause)
	}
	// Prebuilt begins anew.
	if realmForm.Of(original) == realmForm.Of(original.Prebuilt()) {
		t.Error("a second Prebuilt shares the forms of the first")
	}
}

// TestForms: several forms of one denial do not get mixed up, and any type will
// do, even an interface that is nil.
func TestForms(t *testing.T) {
	t.Parallel()
	text := challenge.NewForm(func(denial *challenge.DenialError) string { return denial.Error() })
	status := challenge.NewForm(func(denial *challenge.DenialError) int { return denial.Reason.HTTPStatus() })
	code := challenge.NewForm(func(denial *challenge.DenialError) int { return int(denial.Reason.RPCCode()) })
	none := challenge.NewForm(func(*challenge.DenialError) error { return nil })
	for name, denial := range map[string]*challenge.DenialError{"prebuilt": prebuilt(), "not prebuilt": challenge.NewDenial(challenge.ReasonNoCredentials, nil)} {
		for range 3 {
			if text.Of(denial) != saysNoCredentials || status.Of(denial) != 401 || code.Of(denial) != 16 || none.Of(denial) != nil {
				t.Errorf("%s: got %q, %d, %d, %v", name, text.Of(denial), status.Of(denial), code.Of(denial), none.Of(denial))
			}
		}
	}
}

// TestFormConcurrently: all callers get the same form of a denial.
func TestFormConcurrently(t *testing.T) {
	t.Parallel()
	forms := make([]*challenge.Form[*realm], 8)
	for i := range forms {
		forms[i] = challenge.NewForm(func(denial *challenge.DenialError) *realm { return &realm{denial.Challenge.Realm, int64(i)} })
	}
	denial := prebuilt()
	results := make([][]*realm, 16)
	var start, group sync.WaitGroup
	start.Add(1)
	for g := range results {
		group.Go(func() {
			start.Wait()
			for i := range forms {
				from := denial
				if g%2 == 1 {
					from = denial.WithCause(errors.New("why"))
				}
				results[g] = append(results[g], forms[(g+i)%len(forms)].Of(from))
			}
		})
	}
	start.Done()
	group.Wait()
	for g, result := range results {
		for i, form := range result {
			if index := (g + i) % len(forms); form.n != int64(index) || form != forms[index].Of(denial) {
				t.Errorf("goroutine %d: form %d is %+v", g, index, form)
			}
		}
	}
}

// TestFormAllocations: a form that is kept costs nothing.
func TestFormAllocations(t *testing.T) {
	denial := prebuilt()
	response := denial.Response()
	for name, run := range map[string]func(){
		"a pointer": func() { realmForm.Of(denial) },
		"a response": func() {
			if denial.Response() != response {
				panic("another response")
			}
		},
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}

func BenchmarkForm(b *testing.B) {
	for name, denial := range map[string]*challenge.DenialError{"kept": prebuilt(), "built": challenge.NewDenial(challenge.ReasonInvalidToken, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				denial.Response()
			}
		})
	}
}
