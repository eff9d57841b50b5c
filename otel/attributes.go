package otel

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// The attributes without a name in the semantic conventions.
const (
	serviceKey        = attribute.Key("drawbridge.service")
	outcomeKey        = attribute.Key("drawbridge.outcome")
	durationKey       = attribute.Key("drawbridge.decision.duration")
	resourceKey       = attribute.Key("drawbridge.resource")
	requiredScopesKey = attribute.Key("drawbridge.required_scopes")
	grantedScopesKey  = attribute.Key("drawbridge.granted_scopes")
	issuerKey         = attribute.Key("drawbridge.issuer")
	clientIDKey       = attribute.Key("drawbridge.client.id")
)

// other stands for a method that the caller may have made up.
const other = "_OTHER"

// maxValue bounds, in bytes, what a token can write into an attribute.
const maxValue = 256

// kind is what the attributes of the metrics depend on.
type kind struct {
	service string
	method  string // of a procedure, without the slash before it, or of HTTP
	isRPC   bool
	allowed bool
	reason  challenge.Reason
}

// set holds the attributes of a kind, as every call needs them.
type set struct {
	attributes []attribute.KeyValue
	decisions  []metric.AddOption
	duration   []metric.RecordOption
}

// sets holds a set for each kind that was seen. It is bounded, because no part of
// a kind is of the caller's making. The zero value is empty. It is safe for
// concurrent use.
type sets struct {
	mu   sync.RWMutex
	seen map[kind]*set
}

// of returns the set of a decision.
func (s *sets) of(d *drawbridge.Decision) *set {
	k := kind{service: d.Service, method: other, isRPC: d.Procedure != "", allowed: d.Allowed, reason: d.Reason}
	switch {
	case !k.isRPC:
		k.method = httpMethod(d.Method)
	case d.HasMethod:
		k.method = strings.TrimPrefix(d.Procedure, "/")
	}
	if found := s.find(k); found != nil {
		return found
	}
	return s.add(k)
}

func (s *sets) find(k kind) *set {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seen[k]
}

func (s *sets) add(k kind) *set {
	k.service, k.method = strings.Clone(k.service), strings.Clone(k.method)
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.seen[k]; found != nil {
		return found
	}
	if s.seen == nil {
		s.seen = make(map[kind]*set)
	}
	s.seen[k] = newSet(k)
	return s.seen[k]
}

func newSet(k kind) *set {
	var attributes []attribute.KeyValue
	if k.service != "" {
		attributes = append(attributes, serviceKey.String(k.service))
	}
	if k.allowed {
		attributes = append(attributes, outcomeKey.String("allowed"))
	} else {
		attributes = append(attributes, outcomeKey.String("denied"), semconv.ErrorTypeKey.String(k.reason.String()))
	}
	duration := attribute.NewSet(attributes...)
	if k.isRPC {
		attributes = append(attributes, semconv.RPCMethod(k.method))
	} else {
		attributes = append(attributes, semconv.HTTPRequestMethodKey.String(k.method))
	}
	decisions := attribute.NewSet(attributes...)
	return &set{
		attributes: decisions.ToSlice(),
		decisions:  []metric.AddOption{metric.WithAttributeSet(decisions)},
		duration:   []metric.RecordOption{metric.WithAttributeSet(duration)},
	}
}

// httpMethod returns a method that the semantic conventions know, or other.
func httpMethod(method string) string {
	switch method {
	case "":
		return http.MethodPost
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY":
		return method
	default:
		return other
	}
}

// attributesOf returns the attributes of an event or a span.
func (o *Observer) attributesOf(d *drawbridge.Decision, s *set) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, len(s.attributes)+9)
	attributes = append(attributes, s.attributes...)
	if d.Resource != "" {
		attributes = append(attributes, resourceKey.String(d.Resource))
	}
	if !d.Allowed && d.Reason == challenge.ReasonInsufficientScope {
		attributes = append(attributes, requiredScopesKey.StringSlice(d.RequiredScopes))
	}
	if o.identity {
		attributes = appendIdentity(attributes, d)
	}
	return attributes
}

func appendIdentity(attributes []attribute.KeyValue, d *drawbridge.Decision) []attribute.KeyValue {
	for _, field := range []struct {
		key   attribute.Key
		value string
	}{{semconv.EnduserIDKey, d.Subject}, {clientIDKey, d.ClientID}, {issuerKey, d.Issuer}} {
		if field.value != "" {
			attributes = append(attributes, field.key.String(clip(field.value)))
		}
	}
	if len(d.GrantedScopes) > 0 {
		attributes = append(attributes, grantedScopesKey.StringSlice(clipAll(d.GrantedScopes)))
	}
	if peer, err := netip.ParseAddrPort(d.Peer); err == nil {
		attributes = append(attributes, semconv.NetworkPeerAddress(peer.Addr().String()), semconv.NetworkPeerPort(int(peer.Port())))
	}
	return attributes
}

// clip bounds a value. An exporter refuses everything that it has at hand for one
// string that is not UTF-8.
func clip(value string) string {
	if len(value) > maxValue {
		value = value[:maxValue] + "…"
	}
	return strings.ToValidUTF8(value, "")
}

// clipAll returns as many values as fit, each clipped.
func clipAll(values []string) []string {
	var clipped []string
	length := 0
	for _, value := range values {
		if length += len(value); length > 4*maxValue {
			return append(clipped, "…")
		}
		clipped = append(clipped, clip(value))
	}
	return clipped
}
