package proof

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// replicaSkew is by how much longer a store holds a proof than any replica whose clock
// differs by no more than Leeway can accept it.
const replicaSkew = 5 * time.Second

// ErrUsed is the error of a [Store] for a proof that was used before.
var ErrUsed = errors.New("the jti was used before")

// A Store remembers which proofs were used (RFC 9449 §11.1).
//
// Only proofs whose signature is correct reach it, of senders with a token that is
// bound to the key. Forged proofs therefore take no space, and neither does a
// client in the space of another if a Store has a quota for each key, as
// [MemoryStore] has: it can use as many keys as it has tokens bound to them.
//
// Its method is called concurrently.
type Store interface {
	// Consume records that a proof was used. If key and id were recorded before, it
	// returns an error that unwraps to ErrUsed. Of concurrent calls with the same key
	// and id, even by several processes, exactly one returns nil.
	//
	// The key is the thumbprint of the key of the client, and the id is a hash of the
	// jti; both consist of 43 characters of base64url. The record may be removed
	// after until, which is at most half an hour away by the clock of the caller, and
	// must not be removed before: a Store that is full must return an error, never make space. It must
	// also return one if until is past, because a record may have been removed.
	//
	// Any other error, such as that of ctx, means that the Store cannot tell. The
	// request is then denied as unavailable (503), and the client may repeat it with
	// another proof.
	Consume(ctx context.Context, key, id string, until time.Time) error
}

// A storeError says that the store could not tell whether a proof was used. It
// unwraps to its cause, and is a [token.ErrUnavailable].
type storeError struct{ cause error }

func (e *storeError) Error() string {
	return jwt.Printable(token.ErrUnavailable.Error() + ": proof store: " + e.cause.Error())
}

func (e *storeError) Is(target error) bool { return target == token.ErrUnavailable }
func (e *storeError) Unwrap() error        { return e.cause }
