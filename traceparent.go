package drawbridge

import (
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// parseTraceParent returns the span that a traceparent field names (W3C Trace
// Context §3.2), and the zero value if there is none or more than one, or if it is
// malformed.
func parseTraceParent(values []string) trace.SpanContext {
	if len(values) != 1 || len(values[0]) > 256 {
		return trace.SpanContext{}
	}
	parts := strings.Split(strings.Trim(values[0], " \t"), "-")
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || parts[0] == "00" && len(parts) != 4 {
		return trace.SpanContext{}
	}
	var version, flags [1]byte
	var cfg trace.SpanContextConfig
	for _, field := range []struct {
		text string
		to   []byte
	}{{parts[0], version[:]}, {parts[1], cfg.TraceID[:]}, {parts[2], cfg.SpanID[:]}, {parts[3], flags[:]}} {
		if len(field.text) != hex.EncodedLen(len(field.to)) || field.text != strings.ToLower(field.text) {
			return trace.SpanContext{}
		}
		if _, err := hex.Decode(field.to, []byte(field.text)); err != nil {
			return trace.SpanContext{}
		}
	}
	cfg.TraceFlags, cfg.Remote = trace.TraceFlags(flags[0])&trace.FlagsSampled, true
	span := trace.NewSpanContext(cfg)
	if !span.IsValid() { // A trace or a span of zeros.
		return trace.SpanContext{}
	}
	return span
}
