package authzen_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A pdp is a policy decision point that keeps to the specification, and reports every request
// that does not.
type pdp struct {
	*httptest.Server

	tb testing.TB
	// decide decides about one question. Nil allows.
	decide func(question) bool
	// replace answers in place of it, if it is set.
	replace atomic.Pointer[http.HandlerFunc]
	down    atomic.Bool
	// asked counts the questions, in lists as well, and requests the requests.
	asked, requests atomic.Int64

	mu     sync.Mutex
	bodies []string
	header http.Header // of the last request
}

// A question is one evaluation (AuthZEN §6.1).
type question struct {
	Subject  entity         `json:"subject"`
	Action   entity         `json:"action"`
	Resource entity         `json:"resource"`
	Context  map[string]any `json:"context"`
}

type entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties"`
}

func newPDP(tb testing.TB) *pdp {
	tb.Helper()
	p := &pdp{tb: tb}
	mux := http.NewServeMux()
	mux.HandleFunc("/access/v1/evaluation", p.one)
	mux.HandleFunc("/access/v1/evaluations", p.many)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			panic(http.ErrAbortHandler)
		}
		p.requests.Add(1)
		if replace := p.replace.Load(); replace != nil {
			(*replace)(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	tb.Cleanup(p.Close)
	return p
}

// answer makes p answer otherwise, or, with nil, by itself.
func (p *pdp) answer(f http.HandlerFunc) {
	if f == nil {
		p.replace.Store(nil)
		return
	}
	p.replace.Store(&f)
}

// turn makes p go up or down: then it closes every connection.
func (p *pdp) turn(up bool) {
	p.down.Store(!up)
	if !up {
		p.CloseClientConnections()
	}
}

// body returns the last request.
func (p *pdp) body() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bodies) == 0 {
		return ""
	}
	return p.bodies[len(p.bodies)-1]
}

// receive returns the body of a request, and checks what every request has (§10.1).
func (p *pdp) receive(w http.ResponseWriter, r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.bodies, p.header = append(p.bodies, string(body)), r.Header.Clone()
	p.mu.Unlock()
	switch id := r.Header.Get("X-Request-ID"); {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || id == "":
		p.tb.Errorf("AuthZEN §10.1: got %s with %v", r.Method, r.Header)
	case r.Header.Values("Idempotency-Key") != nil:
		p.tb.Errorf("got an Idempotency-Key")
	default:
		w.Header().Set("X-Request-ID", id)
	}
	w.Header().Set("Content-Type", "application/json")
	return body
}

func (p *pdp) one(w http.ResponseWriter, r *http.Request) {
	body := p.receive(w, r)
	var asked question
	if err := decode(body, &asked, "subject", "action", "resource", "context"); err != nil {
		p.tb.Errorf("AuthZEN §6.1: %v in %s", err, body)
	}
	fmt.Fprintf(w, `{"decision":%t}`, p.judge(asked))
}

func (p *pdp) many(w http.ResponseWriter, r *http.Request) {
	body := p.receive(w, r)
	var asked struct {
		question

		Evaluations []json.RawMessage `json:"evaluations"`
		Options     map[string]string `json:"options"`
	}
	if err := decode(body, &asked, "subject", "action", "context", "evaluations", "options"); err != nil || len(asked.Evaluations) == 0 ||
		asked.Options["evaluations_semantic"] != "deny_on_first_deny" {
		p.tb.Errorf("AuthZEN §7.1: %v in %s", err, body)
	}
	var decisions []string
	for _, evaluation := range asked.Evaluations {
		one := asked.question
		if err := decode(evaluation, &one, "resource"); err != nil {
			p.tb.Errorf("AuthZEN §7.1: %v in %s", err, body)
		}
		allowed := p.judge(one)
		decisions = append(decisions, fmt.Sprintf(`{"decision":%t}`, allowed))
		if !allowed {
			break
		}
	}
	fmt.Fprintf(w, `{"evaluations":[%s]}`, strings.Join(decisions, ","))
}

// judge decides about one question, and checks what each has (§5).
func (p *pdp) judge(q question) bool {
	p.asked.Add(1)
	if q.Subject.Type == "" || q.Subject.ID == "" || q.Resource.Type == "" || q.Resource.ID == "" || q.Action.Name == "" {
		p.tb.Errorf("AuthZEN §5: got %+v", q)
	}
	return p.decide == nil || p.decide(q)
}

// decode decodes an object with no other members than those.
func decode(data []byte, into any, names ...string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for name, value := range members {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") || string(value) == "null" {
			return fmt.Errorf("the member %s", name)
		}
	}
	return json.Unmarshal(data, into)
}

// says answers with a body.
func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func saysJSON(body string) http.HandlerFunc { return says(http.StatusOK, "application/json", body) }
