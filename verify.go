package drawbridge

import (
	"context"
	"errors"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// verify calls the verifier. Neither a panic nor a missing answer lets a caller
// in.
func (s *state) verify(ctx context.Context, raw string, at *token.Resource) (info *token.Info, reason challenge.Reason, err error) {
	defer func() {
		if value := recover(); value != nil {
			info, reason, err = nil, challenge.ReasonInternal, panicked.New("the verifier", value)
		}
	}()
	info, err = s.verifier.VerifyToken(ctx, raw, at)
	switch {
	case err != nil:
		reason = reasonOfFailure(err)
		return nil, reason, err
	case info == nil:
		return nil, challenge.ReasonInternal, errNoInfo
	default:
		return info, 0, nil
	}
}

// checkBinding calls a binding, with the same care.
func checkBinding(ctx context.Context, binding token.Binding, info *token.Info, req token.Request) (reason challenge.Reason, err error) {
	defer func() {
		if value := recover(); value != nil {
			reason, err = challenge.ReasonInternal, panicked.New("the binding", value)
		}
	}()
	if err := binding.CheckBinding(ctx, info, req); err != nil {
		return reasonOfFailure(err), err
	}
	return 0, nil
}

// reasonOfFailure returns the reason for which a failure of a verifier denies.
// In doubt the fault is ours, because clients throw their token away on a 401.
// It also calls the error's methods once, where a panic is recovered.
func reasonOfFailure(err error) challenge.Reason {
	_ = err.Error()
	if !errors.Is(err, token.ErrUnavailable) && errors.Is(err, token.ErrInvalid) {
		return challenge.ReasonInvalidToken
	}
	return challenge.ReasonUnavailable
}

// isRevoked asks the verifier whether a token was revoked. One that panics cannot tell,
// and the stream ends.
func (s *state) isRevoked(info *token.Info) (revoked bool) {
	if s.revocation == nil {
		return false
	}
	defer func() {
		if recover() != nil {
			revoked = true
		}
	}()
	return s.revocation.Revoked(info)
}
