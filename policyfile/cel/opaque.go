package cel

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// opaque is a value that a condition can do nothing with, such as a claim of a Go type
// that JSON does not have. It is equal to nothing.
type opaque struct{}

var opaqueType = types.NewOpaqueType("a value of no type of CEL")

// Equal implements ref.Val.
func (opaque) Equal(ref.Val) ref.Val { return types.False }

// Type implements ref.Val.
func (opaque) Type() ref.Type { return opaqueType }

// Value implements ref.Val.
func (opaque) Value() any { return nil }

// ConvertToType implements ref.Val.
func (opaque) ConvertToType(ref.Type) ref.Val { return types.NewErr("type conversion error") }

// ConvertToNative implements ref.Val.
func (opaque) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
