package fault_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault fault.Fault
		want  string
	}{
		{"everything", fault.Fault{Place: "a: B[0]", Value: "v", Reason: "is bad", Remedy: "remove it"}, `a: B[0]: "v" is bad; remove it`},
		{"no value", fault.Fault{Place: "a: B", Reason: "is required"}, "a: B: is required"},
		{"no remedy", fault.Fault{Place: "a: B", Value: "v", Reason: "has a query"}, `a: B: "v" has a query`},
		{"no place", fault.Fault{Reason: "is required"}, "is required"},
		{"a value with a line break", fault.Fault{Place: "a: B", Value: "v\nw\"", Reason: "is bad"}, `a: B: "v\nw\"" is bad`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.fault.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// severalErrors wraps errors like errors.Join, and is another type.
type severalErrors []error

func (f severalErrors) Error() string   { return "several" }
func (f severalErrors) Unwrap() []error { return f }

func TestAll(t *testing.T) {
	t.Parallel()
	a, b, c := &fault.Fault{Place: "a"}, &fault.Fault{Place: "b"}, &fault.Fault{Place: "c"}
	for _, tt := range []struct {
		name string
		err  error
		want []*fault.Fault
	}{
		{"nil", nil, nil},
		{"another error", io.EOF, nil},
		{"another error, wrapped", fmt.Errorf("read: %w", io.EOF), nil},
		{"one", a, []*fault.Fault{a}},
		{"one, wrapped", fmt.Errorf("new: %w", a), []*fault.Fault{a}},
		{"joined", errors.Join(a, b, c), []*fault.Fault{a, b, c}},
		{"joined and wrapped", fmt.Errorf("new: %w", errors.Join(a, b)), []*fault.Fault{a, b}},
		{"joins of joins", errors.Join(errors.Join(a, b), fmt.Errorf("x: %w", c)), []*fault.Fault{a, b, c}},
		{"several verbs", fmt.Errorf("%w, %w", c, a), []*fault.Fault{c, a}},
		{"among other errors", errors.Join(io.EOF, a, io.ErrClosedPipe, b), []*fault.Fault{a, b}},
		{"a type of its own", severalErrors{a, nil, severalErrors{b}}, []*fault.Fault{a, b}},
		{"twice", errors.Join(a, a), []*fault.Fault{a, a}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := slices.Collect(fault.All(tt.err)); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			// The iteration ends when the loop does, at every depth.
			for stop := range tt.want {
				var got []*fault.Fault
				for f := range fault.All(tt.err) {
					got = append(got, f)
					if len(got) == stop+1 {
						break
					}
				}
				if !slices.Equal(got, tt.want[:stop+1]) {
					t.Errorf("first %d: got %v", stop+1, got)
				}
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	other := fault.List{Within: "policy: "}
	other.Add(`Services["a b"]`, "a b", "is bad", "")
	other.Add("Implies", "", "is a cycle", "")
	for _, tt := range []struct {
		name string
		fill func(*fault.List)
		want []string
	}{
		{"empty", func(*fault.List) {}, nil},
		{"one", func(l *fault.List) { l.Add("A", "v", "is bad", "remove it") }, []string{`root: A: "v" is bad; remove it`}},
		{"in order", func(l *fault.List) { l.Add("B", "", "is required", ""); l.Add("A", "", "is required", "") }, []string{"root: B: is required", "root: A: is required"}},
		{"nil joined", func(l *fault.List) { l.Join(nil) }, nil},
		{"a list joined", func(l *fault.List) {
			l.Add("A", "", "is required", "")
			l.Join(other.Err())
			l.Add("C", "", "is required", "")
		}, []string{
			"root: A: is required", `policy: Services["a b"]: "a b" is bad`, "policy: Implies: is a cycle", "root: C: is required",
		}},
		{"a list joined, wrapped", func(l *fault.List) { l.Join(fmt.Errorf("x: %w", other.Err())) }, []string{`policy: Services["a b"]: "a b" is bad`, "policy: Implies: is a cycle"}},
		{"another error joined", func(l *fault.List) { l.Join(io.ErrUnexpectedEOF) }, []string{"root: unexpected EOF"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := fault.List{Within: "root: "}
			tt.fill(&list)
			err := list.Err()
			if list.Len() != len(tt.want) || (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("got %d faults, %v, want %d", list.Len(), err, len(tt.want))
			}
			var got []string
			for f := range fault.All(err) {
				got = append(got, f.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if err != nil && err.Error() != strings.Join(tt.want, "\n") {
				t.Errorf("the text is %q", err)
			}
		})
	}
}

// TestListPlace: a fault found by errors.As has its parts apart.
func TestListPlace(t *testing.T) {
	t.Parallel()
	list := fault.List{Within: "root: "}
	list.Add("A[1]", "v", "is bad", "remove it")
	list.Add("B", "", "is required", "")
	var first *fault.Fault
	if !errors.As(fmt.Errorf("new: %w", list.Err()), &first) {
		t.Fatal("errors.As finds no fault")
	}
	if want := (fault.Fault{Place: "root: A[1]", Value: "v", Reason: "is bad", Remedy: "remove it"}); *first != want {
		t.Errorf("got %+v, want %+v", *first, want)
	}
}

// TestErrIsCopied: an error that was returned does not change with the list.
func TestErrIsCopied(t *testing.T) {
	t.Parallel()
	var list fault.List
	list.Add("A", "", "is required", "")
	err := list.Err()
	list.Add("B", "", "is required", "")
	if got := err.Error(); got != "A: is required" {
		t.Errorf("got %q", got)
	}
}
