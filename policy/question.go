package policy

import (
	"maps"
	"time"
)

// A Question is what a rule asks a policy decision point outside of the server, such as
// one that knows who owns which account. Its terms are those of the AuthZEN
// Authorization API 1.0 §5.
//
// A value is a path, which is read from the call, or a text in single quotes without one in
// it. Paths begin with
//
//	token    the facts of the token: token.sub, token.client_id, token.iss, token.claims.tenant
//	rpc      rpc.procedure, rpc.service, rpc.method
//	request  fields of the message, by their names in the protobuf file: request.account_id
//
// [Compiler].Questions says which paths there are. A rule whose question reads the message
// is met only where the message is known, see [Rule].Condition.
type Question struct {
	// Subject is who calls. A zero Type and ID mean the subject of the token, or the
	// client where it speaks for itself. A token of which that cannot be told does not
	// meet the rule then.
	Subject Entity
	// Action is the name of the action. Empty means the plain name of the method.
	Action string
	// Resource is what the call is about. Its Type and ID are required. If the ID is a
	// repeated field of the message, every element has to be allowed.
	Resource Entity
	// Context holds further values, by their names.
	Context map[string]string
	// CacheFor is how long an answer to the very same question may be used again. Zero
	// means that every call asks. The maximum is one minute.
	CacheFor time.Duration
}

// An Entity is a subject or a resource of a [Question].
type Entity struct {
	// Type is a plain text, such as "account".
	Type string
	// ID is a value.
	ID string
	// Properties are values, by their names.
	Properties map[string]string
}

// maxCacheFor bounds [Question].CacheFor.
const maxCacheFor = time.Minute

// A QuestionCompiler compiles the [Rule].Question of rules. Package policy/authzen has
// one. It is used by one goroutine at a time.
type QuestionCompiler interface {
	// CompileQuestion compiles a question for the calls of a target. The error says
	// what is wrong with it; it is the reason of a fault.
	//
	// The Condition asks the decision point. If that cannot be told right now, its error
	// unwraps to token.ErrUnavailable. What it remembers is its own: a later Compile
	// begins anew.
	CompileQuestion(question Question, target Target) (Condition, error)
}

// question compiles Question. It returns nil if a rule has none.
func (c *compiler) question(where string, rule Rule, target Target) Condition {
	if rule.Question == nil {
		return nil
	}
	where += ".Question"
	question := rule.Question.clone()
	if question.CacheFor < 0 || question.CacheFor > maxCacheFor {
		c.fault(where+".CacheFor", question.CacheFor.String(), "is not between 0 and "+maxCacheFor.String(), "")
	}
	isComplete := true
	if question.Resource.Type == "" || question.Resource.ID == "" {
		c.fault(where+".Resource", "", "needs a Type and an ID", "")
		isComplete = false
	}
	if (question.Subject.Type == "") != (question.Subject.ID == "") {
		c.fault(where+".Subject", "", "needs both a Type and an ID, or neither", "")
		isComplete = false
	}
	if c.Questions == nil {
		c.fault(where, "", "is set, and there is nothing to ask", "set Questions of the Compiler, for instance to that of package policy/authzen")
	}
	if c.Questions == nil || !isComplete {
		return nil
	}
	compiled, err := c.Questions.CompileQuestion(*question, target)
	return c.checked(where, "", compiled, err, target)
}

func (q *Question) clone() *Question {
	if q == nil {
		return nil
	}
	c := *q
	c.Subject.Properties = maps.Clone(c.Subject.Properties)
	c.Resource.Properties = maps.Clone(c.Resource.Properties)
	c.Context = maps.Clone(c.Context)
	return &c
}

// equal reports whether two questions are the same. How long answers are kept makes no
// difference.
func (q *Question) equal(other *Question) bool {
	if q == nil || other == nil {
		return q == other
	}
	return q.Action == other.Action && q.Subject.equal(other.Subject) && q.Resource.equal(other.Resource) &&
		maps.Equal(q.Context, other.Context)
}

func (e Entity) equal(other Entity) bool {
	return e.Type == other.Type && e.ID == other.ID && maps.Equal(e.Properties, other.Properties)
}
