package authzen

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A DecisionPoint asks a policy decision point (PDP) about the calls of rules that have a
// [policy.Rule.Question]. It is immutable but for what it remembers, and safe for concurrent
// use. The zero DecisionPoint is not usable; [New] returns one.
//
// The same DecisionPoint serves any number of policies, one after the other or at the same
// time.
type DecisionPoint struct {
	name        string // for the log
	timeout     time.Duration
	maxElements int
	client      *http.Client
	turns       chan struct{} // has an element for each request on its way
	endpoints   endpointSource
	// authenticate sets the credentials. They are in a function, so that nothing that
	// prints a DecisionPoint prints them.
	authenticate func(request *http.Request) error
	log          answerLog

	now     func() time.Time
	cache   *cache
	flights flights[digest, bool]
	number  atomic.Uint64 // of the last question that was compiled
	drafts  sync.Pool     // of *draft
}

var _ policy.QuestionCompiler = (*DecisionPoint)(nil)

// New returns a DecisionPoint, or every fault of the configuration at once. It sends nothing.
func New(config Config) (*DecisionPoint, error) { return newAt(config, time.Now) }

func newAt(config Config, now func() time.Time) (*DecisionPoint, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config = config.copied()
	d := &DecisionPoint{
		name:         config.String(),
		timeout:      config.Timeout,
		maxElements:  config.MaxElements,
		client:       clientOf(config),
		turns:        make(chan struct{}, config.MaxConcurrent),
		authenticate: authentication(config),
		log:          answerLog{url: config.URL, logger: config.Logger},
		now:          now,
		cache:        newCache(config.MaxCached),
	}
	d.drafts.New = func() any { return new(draft) }
	d.endpoints = fixed{one: config.EvaluationURL, many: config.EvaluationsURL}
	if config.Discover {
		d.endpoints = &discovery{point: d, config: Config{URL: config.URL, AllowPlaintextURL: config.AllowPlaintextURL}}
	}
	return d, nil
}

// CompileQuestion implements [policy.QuestionCompiler]. The error says everything that is
// wrong with the question. It sends nothing, and may be called concurrently.
//
// Answers are remembered for what it returns alone: another compilation of the same question
// begins anew.
func (d *DecisionPoint) CompileQuestion(question policy.Question, target policy.Target) (policy.Condition, error) {
	template, err := compile(question, target)
	if err != nil {
		return nil, err
	}
	const maxCacheFor = time.Minute
	return &condition{
		template: template, point: d, number: d.number.Add(1), cacheFor: min(max(question.CacheFor, 0), maxCacheFor),
	}, nil
}

// String describes d without its secrets.
func (d *DecisionPoint) String() string { return d.name }

// GoString is String.
func (d *DecisionPoint) GoString() string { return d.name }

// LogValue is String.
func (d *DecisionPoint) LogValue() slog.Value { return slog.StringValue(d.name) }

// MarshalJSON returns String as a JSON string.
func (d *DecisionPoint) MarshalJSON() ([]byte, error) { return json.Marshal(d.name) }
