package verifier

import "net/http"

// maxAnswer bounds an answer about a token, in bytes.
const maxAnswer = 64 << 10

// introspectionClient returns a copy of the configured client that reads bounded
// answers.
func introspectionClient(config IntrospectionConfig) *http.Client {
	c := &http.Client{Timeout: fetchTimeout}
	if config.HTTPClient != nil {
		*c = *config.HTTPClient
	}
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport //nolint:forbidigo // It is what a nil Transport means.
		if shared, ok := next.(*http.Transport); ok {
			// It would keep two of the connections, and open the others anew each time.
			own := shared.Clone()
			own.MaxIdleConnsPerHost = maxFlights + maxRenewals
			next = own
		}
	}
	c.Transport = boundedTransport{next: next, isTokenInfo: config.TokenInfo}
	return c
}

// A boundedTransport turns every answer but 200 into an error, and bounds the rest. A
// client therefore follows no redirect, which could carry the token and the secret
// elsewhere. A refusal that has the status 400 becomes errInactive.
type boundedTransport struct {
	next        http.RoundTripper
	isTokenInfo bool
}

func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Accept", "application/json")
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		if isRefusal(response, t.isTokenInfo) {
			return nil, errInactive
		}
		return nil, &statusError{response.StatusCode}
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
