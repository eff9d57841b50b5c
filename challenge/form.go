package challenge

import (
	"sync"
	"sync/atomic"
)

// A Form is a representation of denials, such as the bytes of a response, that is
// kept with a denial that is prebuilt. It is for authors of adapters, who declare
// each Form as a package-level variable. A Form is safe for concurrent use.
type Form[T any] struct {
	build func(*DenialError) T
}

// NewForm returns the Form that build produces. The result of build is shared: it
// must not depend on the cause of the denial, and must not be changed.
func NewForm[T any](build func(*DenialError) T) *Form[T] { return &Form[T]{build: build} }

// Of returns the form of a denial. A prebuilt denial keeps its form. For any
// other, Of builds it each time, because callers determine how many of those
// there are.
func (f *Form[T]) Of(denial *DenialError) T {
	if denial.self != denial {
		return f.build(denial)
	}
	kept, ok := denial.forms.get(f)
	if !ok {
		built := f.build(denial)
		kept = denial.forms.put(f, &built)
	}
	return *kept.(*T) //nolint:forcetypeassert // Only f stores under f.
}

// forms is a short list, with an entry for each adapter, that is read without a
// lock.
type forms struct {
	mu   sync.Mutex // for writers
	kept atomic.Pointer[[]keptForm]
}

type keptForm struct{ form, value any }

func (f *forms) get(form any) (any, bool) {
	kept := f.kept.Load()
	if kept == nil {
		return nil, false
	}
	for i := range *kept {
		if (*kept)[i].form == form {
			return (*kept)[i].value, true
		}
	}
	return nil, false
}

// put keeps value, unless another call was first. It returns the value that is
// kept.
func (f *forms) put(form, value any) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept, ok := f.get(form); ok {
		return kept
	}
	var grown []keptForm
	if kept := f.kept.Load(); kept != nil {
		grown = append(grown, *kept...)
	}
	grown = append(grown, keptForm{form, value})
	f.kept.Store(&grown)
	return value
}
