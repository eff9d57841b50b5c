package authzen

import (
	"net/http"
	"slices"
)

// clientOf returns a copy of the configured client that follows no redirect: that could carry
// the question and the credentials elsewhere.
func clientOf(config Config) *http.Client {
	c := new(http.Client)
	if config.HTTPClient != nil {
		*c = *config.HTTPClient
	}
	if shared, ok := http.DefaultTransport.(*http.Transport); ok && c.Transport == nil { //nolint:forbidigo // It is what a nil Transport means.
		// It would keep two of the connections, and open the others anew each time.
		own := shared.Clone()
		own.MaxIdleConnsPerHost = config.MaxConcurrent
		own.MaxIdleConns = config.MaxConcurrent
		c.Transport = own
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// authentication returns what sets the credentials of a request.
func authentication(config Config) func(request *http.Request) error {
	return func(request *http.Request) error {
		for name, values := range config.Header {
			request.Header[name] = slices.Clone(values)
		}
		raw := config.BearerToken
		if config.TokenSource != nil {
			var err error
			if raw, err = config.TokenSource(request.Context()); err != nil {
				return &outage{text: printable("no token for it: " + err.Error()), cause: err}
			}
			if !isToken(raw) {
				return unavailable("no token for it: what TokenSource returned is empty, or holds a character that no token has")
			}
		}
		if raw != "" {
			request.Header.Set("Authorization", "Bearer "+raw)
		}
		return nil
	}
}
