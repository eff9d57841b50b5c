package interceptor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// panicError is what is left of a verifier that panicked.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the verifier panicked: %v", e.value) }

// verify calls the verifier, and says whose fault a failure is. Neither a panic
// nor a missing answer lets anyone in.
func (a *Authorizer) verify(ctx context.Context, token string) (info *TokenInfo, kind Kind, err error) {
	defer func() {
		if value := recover(); value != nil {
			info, kind, err = nil, KindInternal, &panicError{value: value, stack: debug.Stack()}
		}
	}()
	info, err = a.verifier.VerifyToken(ctx, token)
	switch {
	case err != nil:
		// In here, because the methods of somebody else's error may panic too.
		kind = kindOfFailure(err)
		_ = err.Error()
		return nil, kind, err
	case info == nil:
		return nil, KindInternal, errNoTokenInfo
	default:
		return info, 0, nil
	}
}

// kindOfFailure says whose fault it is. In doubt it is ours, because clients
// throw their token away on a 401.
func kindOfFailure(err error) Kind {
	switch {
	case errors.Is(err, ErrUnavailable):
		return KindUnavailable
	case errors.Is(err, ErrInvalidToken):
		return KindInvalidToken
	default:
		return KindUnavailable
	}
}
