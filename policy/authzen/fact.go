package authzen

import (
	"cmp"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// textFacts are the paths to facts that are texts, absent if they are empty.
var textFacts = map[string]func(in *policy.Input) string{
	"token.iss":             func(in *policy.Input) string { return in.Info.Issuer },
	"token.sub":             func(in *policy.Input) string { return in.Info.Subject },
	"token.client_id":       func(in *policy.Input) string { return in.Info.ClientID },
	"token.sid":             func(in *policy.Input) string { return in.Info.SessionID },
	"token.acr":             func(in *policy.Input) string { return in.Info.ACR },
	"token.party":           func(in *policy.Input) string { return in.Info.Party.String() },
	"token.actor.iss":       ofActor(func(a *token.Actor, issuer string) string { return cmp.Or(a.Issuer, issuer) }),
	"token.actor.sub":       ofActor(func(a *token.Actor, _ string) string { return a.Subject }),
	"token.actor.client_id": ofActor(func(a *token.Actor, _ string) string { return a.ClientID }),
	"rpc.procedure":         func(in *policy.Input) string { return in.Procedure },
	"rpc.service": func(in *policy.Input) string {
		service, _, _ := rpc.ParseProcedure(in.Procedure)
		return service
	},
	"rpc.method": methodOf,
}

// methodOf returns the plain name of the method of a call, empty for a plain HTTP request.
func methodOf(in *policy.Input) string {
	_, method, _ := rpc.ParseProcedure(in.Procedure)
	return method
}

func ofActor(of func(a *token.Actor, issuer string) string) func(in *policy.Input) string {
	return func(in *policy.Input) string {
		if in.Info.Actor == nil {
			return ""
		}
		return of(in.Info.Actor, in.Info.Issuer)
	}
}

// listFacts are those that are lists of texts.
var listFacts = map[string]func(in *policy.Input) []string{
	"token.aud":    func(in *policy.Input) []string { return in.Info.Audience },
	"token.scopes": func(in *policy.Input) []string { return in.Info.Scopes },
}

// timeFacts are those that are instants, absent if they are zero.
var timeFacts = map[string]func(in *policy.Input) time.Time{
	"token.iat":       func(in *policy.Input) time.Time { return in.Info.IssuedAt },
	"token.auth_time": func(in *policy.Input) time.Time { return in.Info.AuthTime },
}

// factNames returns the paths to facts, as far as they begin with a root such as "token".
func factNames(root string) []string {
	names := sortedKeys(textFacts)
	names = append(append(names, sortedKeys(listFacts)...), sortedKeys(timeFacts)...)
	kept := names[:0]
	for _, name := range names {
		if strings.HasPrefix(name, root+".") {
			kept = append(kept, name)
		}
	}
	return kept
}

// fact returns the value at a path to a fact, or nil if there is none.
func fact(path string) value {
	if read := textFacts[path]; read != nil {
		return textFact(read)
	}
	if read := listFacts[path]; read != nil {
		return listFact(read)
	}
	if read := timeFacts[path]; read != nil {
		return timeFact(read)
	}
	return nil
}

type textFact func(in *policy.Input) string

func (f textFact) appendJSON(b []byte, d *draft) ([]byte, bool, error) {
	text := f(&d.in)
	if text == "" {
		return b, false, nil
	}
	b, err := appendText(b, text)
	return b, true, err
}

func (f textFact) appendID(b []byte, d *draft) ([]byte, error) { return appendIDText(b, f(&d.in)) }

func (textFact) needsMessage() bool { return false }

type listFact func(in *policy.Input) []string

func (f listFact) appendJSON(b []byte, d *draft) ([]byte, bool, error) {
	var err error
	b = append(b, '[')
	for i, text := range f(&d.in) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, text); err != nil {
			return b, false, err
		}
	}
	return append(b, ']'), true, nil
}

func (listFact) appendID(b []byte, _ *draft) ([]byte, error) { return b, errNotText }

func (listFact) needsMessage() bool { return false }

// A timeFact is written as ProtoJSON writes a timestamp.
type timeFact func(in *policy.Input) time.Time

func (f timeFact) appendJSON(b []byte, d *draft) ([]byte, bool, error) {
	at := f(&d.in)
	if at.IsZero() {
		return b, false, nil
	}
	b = append(b, '"')
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"'), true, nil
}

func (timeFact) appendID(b []byte, _ *draft) ([]byte, error) { return b, errNotText }

func (timeFact) needsMessage() bool { return false }
