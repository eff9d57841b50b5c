package authzen

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// endpoints are the addresses of a policy decision point. The second is empty if it answers
// no questions about lists.
type endpoints struct{ one, many string }

// An endpointSource knows the endpoints. It is safe for concurrent use.
type endpointSource interface {
	// locate returns the endpoints. Its errors are outages.
	locate(ctx context.Context) (endpoints, error)
	// suspect says that a question to the endpoints got no answer.
	suspect()
}

// fixed are endpoints that were configured.
type fixed endpoints

func (f fixed) locate(context.Context) (endpoints, error) { return endpoints(f), nil }
func (f fixed) suspect()                                  {}

// The times after which metadata is read again: as long as questions are answered, when the
// endpoints may have moved, and when there is none.
const (
	metadataLifetime = time.Hour
	suspectLifetime  = 10 * time.Second
	coolDown         = time.Second
)

// A discovery reads the endpoints out of the metadata of the policy decision point
// (AuthZEN §9). The request has a context of its own, so that a caller that gives up does not
// fail the others.
type discovery struct {
	point   *DecisionPoint
	config  Config // the URL alone, and whether it may be plaintext
	flights flights[struct{}, endpoints]

	mu        sync.Mutex
	found     endpoints // the last that were found
	tried     time.Time // when the last request ended
	failed    error     // how, or nil
	suspected bool
}

// locate returns the endpoints, and reads the metadata first if that is necessary. While it
// cannot be read, the last endpoints stay in use.
func (d *discovery) locate(ctx context.Context) (endpoints, error) {
	if found, err := d.last(); found.one != "" || err != nil {
		return found, err
	}
	return d.flights.join(ctx, struct{}{}, run[endpoints]{
		known: func() (endpoints, bool) {
			found, _ := d.last()
			return found, found.one != ""
		},
		do: d.refresh,
	})
}

// last returns what the last request brought, or nothing if it is time for another.
func (d *discovery) last() (endpoints, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := d.point.now().Sub(d.tried)
	switch {
	case d.found.one != "" && (since < suspectLifetime || since < metadataLifetime && !d.suspected):
		return d.found, nil
	case d.found.one == "" && d.failed != nil && since < coolDown:
		return endpoints{}, d.failed
	default:
		return endpoints{}, nil
	}
}

func (d *discovery) suspect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.suspected = true
}

// refresh reads the metadata.
func (d *discovery) refresh() (endpoints, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.point.timeout)
	defer cancel()
	var found endpoints
	err := recovered(func() (err error) {
		found, err = d.read(ctx)
		return ofMetadata(err)
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried, d.failed, d.suspected = d.point.now(), err, err != nil
	if err == nil {
		d.found = found
	}
	if d.found.one == "" {
		return endpoints{}, err
	}
	return d.found, nil
}

// read requests the metadata and validates it (AuthZEN §9.2.2, §9.2.3).
func (d *discovery) read(ctx context.Context) (endpoints, error) {
	u, err := url.Parse(d.config.URL)
	if err != nil {
		return endpoints{}, unavailable("malformed address")
	}
	u.Path, u.RawPath = "/.well-known/authzen-configuration"+strings.TrimSuffix(u.Path, "/"), ""
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return endpoints{}, unavailable("malformed address")
	}
	if err := d.point.authenticate(request); err != nil {
		return endpoints{}, err
	}
	body, err := d.point.exchange(request)
	if err != nil {
		return endpoints{}, err
	}
	return d.parse(body)
}

func (d *discovery) parse(body []byte) (endpoints, error) {
	texts := make(map[string]string)
	for _, name := range [...]string{"policy_decision_point", "access_evaluation_endpoint", "access_evaluations_endpoint"} {
		value, err := member(body, name)
		if err != nil {
			return endpoints{}, unavailable("the answer " + err.Error())
		}
		var text string
		if value != nil && (json.Unmarshal(value, &text) != nil || value[0] != '"') {
			return endpoints{}, unavailable("" + name + " is not a string")
		}
		texts[name] = text
	}
	if texts["policy_decision_point"] != d.config.URL {
		return endpoints{}, unavailable("policy_decision_point is another than the URL of the configuration")
	}
	found := endpoints{texts["access_evaluation_endpoint"], texts["access_evaluations_endpoint"]}
	if !d.accepts(found.one) || found.many != "" && !d.accepts(found.many) {
		return endpoints{}, unavailable("an endpoint is missing, or less protected than the URL of the configuration")
	}
	return found, nil
}

// accepts reports whether questions may be sent to an endpoint of the metadata: it has to be
// as protected as the metadata.
func (d *discovery) accepts(address string) bool {
	return d.config.isEndpoint(address) && (strings.HasPrefix(address, "https:") || strings.HasPrefix(d.config.URL, "http:"))
}
