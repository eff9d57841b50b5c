package verifier

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// A tokenInfoServer is an authorization server with a tokeninfo endpoint. Package rs
// asks it as it asks one with introspection, but for the form that it sends.
type tokenInfoServer struct{ rs.ResourceServer }

// AuthFn authenticates nobody. It names the token as the endpoint expects it. It stays
// in the form, because logs keep URLs.
func (tokenInfoServer) AuthFn() (any, error) {
	return httphelper.FormAuthorization(func(form url.Values) {
		form.Set("access_token", form.Get("token"))
		form.Del("token")
	}), nil
}

// isRefusal reports whether an answer says that a token is not valid. Anything else with
// the status 400 may come from a proxy, and says nothing about the token.
//
// RFC 7662 §2.2 wants {"active": false}. A server of oidc-provider answers with an error of
// RFC 7009 §2.2.1 about whatever looks like a JWT, and so could be made to seem down.
func isRefusal(response *http.Response, isTokenInfo bool) bool {
	if response.StatusCode != http.StatusBadRequest {
		return false
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil || jwt.ScanObject(body, nil) != nil {
		return false
	}
	answer, err := jwt.ParseObject(body)
	if err != nil {
		return false
	}
	if !isTokenInfo {
		return answer["error"] == "unsupported_token_type"
	}
	// An older version of the endpoint has the description alone.
	return answer["error"] == "invalid_token" || !answer.Has("error") && answer["error_description"] == "Invalid Value"
}

// adaptTokenInfo makes an answer about a valid token one of RFC 7662. The clients are
// the keys of a map. The token of any other client is refused: it was not meant for
// this server, whatever the user agreed to there.
func adaptTokenInfo(answer jwt.Object, clients map[string]string) error {
	if answer.Has("error") {
		return errors.New("the answer has an error beside the facts")
	}
	if _, err := answer.RequiredText("aud"); err != nil {
		return err
	}
	for _, name := range [...]string{"aud", "azp"} { // Where both are present, they may differ.
		client, err := answer.Text(name)
		if err != nil {
			return err
		}
		if _, ok := clients[client]; !ok && answer.Has(name) {
			return fmt.Errorf("%s is %s, a client that is not in Mapping.Audiences", name, jwt.Quote(client))
		}
	}
	if !answer.Has("exp") {
		return errors.New("exp is missing")
	}
	if text, ok := answer["exp"].(string); ok {
		seconds, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return errors.New("exp: not a NumericDate")
		}
		answer["exp"] = float64(seconds)
	}
	return nil
}

// checkTokenInfo adds the faults of c, whose endpoint is one of tokeninfo.
func (c IntrospectionConfig) checkTokenInfo(faults *fault.List, place string) {
	const noClient = "is set beside TokenInfo, whose endpoint authenticates no client"
	if c.Endpoint == "" {
		faults.Add(place+"Endpoint", "", "is required with TokenInfo, because no metadata has it", "")
	}
	if c.ClientID != "" {
		faults.Add(place+"ClientID", c.ClientID, noClient, "remove it")
	}
	if c.ClientSecret != "" {
		faults.Add(place+"ClientSecret", "", noClient, "remove it")
	}
	if len(c.PrivateKey) > 0 {
		faults.Add(place+"PrivateKey", "", noClient, "remove it")
	}
	if c.KeyID != "" {
		faults.Add(place+"KeyID", c.KeyID, noClient, "remove it")
	}
	if c.AudienceOfUnbound != "" {
		faults.Add(place+"AudienceOfUnbound", c.AudienceOfUnbound, "is set beside TokenInfo, which requires aud", "remove it")
	}
	if c.Mapping.AudienceFromClientID {
		faults.Add(place+"Mapping.AudienceFromClientID", "", "is set beside TokenInfo, which requires aud", "remove it")
	}
	if len(c.Mapping.Audiences) == 0 {
		faults.Add(place+"Mapping.Audiences", "", "is required with TokenInfo: without it, the tokens of any client would be accepted",
			"list the clients whose tokens open a resource")
	}
}
