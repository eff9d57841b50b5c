package cel

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// texts is a list of strings that is searched without converting its elements. A pointer
// to it is a CEL value, which costs no allocation.
type texts []string

var _ traits.Lister = (*texts)(nil)

// list returns t as the list of the library, for what is rarely needed.
func (t *texts) list() traits.Lister { return types.NewStringList(adapter{}, *t) }

func (t *texts) Contains(value ref.Val) ref.Val      { return unlimited().inList(value, t) }
func (t *texts) Size() ref.Val                       { return types.Int(len(*t)) }
func (t *texts) Add(other ref.Val) ref.Val           { return t.list().Add(other) }
func (t *texts) Get(index ref.Val) ref.Val           { return t.list().Get(index) }
func (t *texts) Iterator() traits.Iterator           { return t.list().Iterator() }
func (t *texts) Equal(other ref.Val) ref.Val         { return unlimited().equal(t, other) }
func (t *texts) ConvertToType(kind ref.Type) ref.Val { return t.list().ConvertToType(kind) }
func (t *texts) Type() ref.Type                      { return types.ListType }
func (t *texts) Value() any                          { return []string(*t) }

func (t *texts) ConvertToNative(kind reflect.Type) (any, error) {
	return t.list().ConvertToNative(kind) //nolint:wrapcheck // It is the library's own.
}
