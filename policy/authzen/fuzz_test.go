package authzen_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"
)

// FuzzQuestion: whatever is written as a path, and whatever the message is, the question is
// refused or is one JSON object, with the ID as the caller wrote it.
func FuzzQuestion(f *testing.F) {
	for _, path := range []string{
		"request.account_id", "request.line.next.account_id", "request.lines.account_id", "request.labels", "token.claims['a'].b", "token.scopes", "'x'", "rpc.method",
	} {
		f.Add(path, "a\"1", "{}")
	}
	f.Add("request.free", "a", `{"accountId": "a", "line": {"next": {"accountId": "b"}}, "labels": {"k": {}}, "free": {"x": null}, "ids": ["c"], "data": "AA=="}`)
	p := newPDP(f)
	point := newPoint(f, p)
	f.Fuzz(func(t *testing.T, path, id, encoded string) {
		if strings.Contains(id, "'") {
			return
		}
		q := about("'" + id + "'")
		q.Context = map[string]string{"v": path}
		q.Resource.Properties = map[string]string{"account": "request.account_id"}
		compiled, err := point.CompileQuestion(q, target(bank(t)))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			return
		}
		message := dynamicpb.NewMessage(bank(t))
		if protojson.Unmarshal([]byte(encoded), message) != nil {
			return
		}
		in := ada(message)
		in.Info.Claims = map[string]any{"a": map[string]any{"b": id}}
		before := p.asked.Load()
		_, err = compiled.Holds(t.Context(), in)
		if asked := p.asked.Load() - before; (asked == 1) != (err == nil) {
			t.Errorf("%d questions, and %v", asked, err)
		}
		if p.asked.Load() == before {
			return
		}
		var asked question
		if err := json.Unmarshal([]byte(p.body()), &asked); err != nil || asked.Resource.ID != id || asked.Subject.ID != "ada" {
			t.Errorf("got %v and %s for %q", err, p.body(), id)
		}
	})
}
