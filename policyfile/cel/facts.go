package cel

import (
	"cmp"
	"errors"
	"time"

	"cel.dev/cel-go/common/types"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The names of the variables.
const (
	nameToken   = "token"
	nameRPC     = "rpc"
	nameRequest = "request"
	nameNow     = "now"
)

// nameClaims is the field of token that holds its further claims.
const nameClaims = "claims"

// The types of facts. No protobuf message can have such a name.
var (
	tokenType = types.NewObjectType("the token")
	rpcType   = types.NewObjectType("the RPC")
	actorType = types.NewObjectType("the actor")
)

var (
	errAbsent   = errors.New("the token does not have this fact")
	errForeign  = errors.New("a value is not what the condition was compiled for")
	errNoResult = errors.New("the result is no bool")
)

// facts are the fields of the types that are no messages.
var facts = map[string]map[string]*types.FieldType{
	tokenType.TypeName(): {
		"iss":       fact(types.StringType, func(t *token.Info) any { return text(t.Issuer) }),
		"sub":       fact(types.StringType, func(t *token.Info) any { return text(t.Subject) }),
		"client_id": fact(types.StringType, func(t *token.Info) any { return text(t.ClientID) }),
		"sid":       fact(types.StringType, func(t *token.Info) any { return text(t.SessionID) }),
		"acr":       fact(types.StringType, func(t *token.Info) any { return text(t.ACR) }),
		"party":     fact(types.StringType, func(t *token.Info) any { return types.String(t.Party.String()) }),
		"aud":       fact(types.NewListType(types.StringType), func(t *token.Info) any { return (*texts)(&t.Audience) }),
		"scopes":    fact(types.NewListType(types.StringType), func(t *token.Info) any { return (*texts)(&t.Scopes) }),
		"iat":       fact(types.TimestampType, func(t *token.Info) any { return instant(t.IssuedAt) }),
		"auth_time": fact(types.TimestampType, func(t *token.Info) any { return instant(t.AuthTime) }),
		"actor":     fact(actorType, actorOf),
		nameClaims:  fact(types.NewMapType(types.StringType, types.DynType), func(t *token.Info) any { return object(t.Claims) }),
	},
	actorType.TypeName(): {
		"iss":       fact(types.StringType, func(a *actor) any { return text(a.issuer) }),
		"sub":       fact(types.StringType, func(a *actor) any { return text(a.Subject) }),
		"client_id": fact(types.StringType, func(a *actor) any { return text(a.ClientID) }),
	},
	rpcType.TypeName(): {
		"procedure": fact(types.StringType, func(a *activation) any { return text(a.in.Procedure) }),
		"service":   fact(types.StringType, func(a *activation) any { return text(a.service) }),
		"method":    fact(types.StringType, func(a *activation) any { return text(a.method()) }),
	},
}

// An actor is the one who acts for the subject, with the issuer that its names belong to.
type actor struct {
	*token.Actor

	issuer string
}

func actorOf(t *token.Info) any {
	if t.Actor == nil {
		return nil
	}
	return &actor{Actor: t.Actor, issuer: cmp.Or(t.Actor.Issuer, t.Issuer)}
}

// fact is a field that get reads. If get returns nil, the field is absent: to read it is
// an error, so that no comparison of two absent values is true.
func fact[T any](kind *types.Type, get func(T) any) *types.FieldType {
	return &types.FieldType{
		Type: kind,
		IsSet: func(target any) bool {
			of, ok := target.(T)
			return ok && get(of) != nil
		},
		GetFrom: func(target any) (any, error) {
			of, ok := target.(T)
			if !ok {
				return nil, errForeign
			}
			value := get(of)
			if value == nil {
				return nil, errAbsent
			}
			return value, nil
		},
	}
}

// text is a string that is absent if it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return types.String(s)
}

// instant is a time that is absent if it is zero.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return types.Timestamp{Time: t}
}
