package authserver

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	maxRegistration = 64 << 10
	maxRedirectURIs = 10
)

// registration is the request of a client that registers itself (RFC 7591 §2).
// Other members are ignored, as §2 allows.
type registration struct {
	RedirectURIs []string `json:"redirect_uris"`
	ClientName   string   `json:"client_name,omitempty"`
}

// registered is the response to a registration (RFC 7591 §3.2.1).
type registered struct {
	registration

	ClientID                string   `json:"client_id"`
	GrantTypes              []string `json:"grant_types"`
	ResponseTypes           []string `json:"response_types"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method"`
}

// register registers a client that is not configured, as MCP clients do. Every such
// client becomes a public client of the authorization code grant on loopback,
// whatever it requests.
func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	var request registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&request); err != nil {
		registrationError(w, "invalid_client_metadata", "the body is not a JSON object of a registration")
		return
	}
	if n := len(request.RedirectURIs); n == 0 || n > maxRedirectURIs {
		registrationError(w, "invalid_redirect_uri", "between one and ten redirect_uris are needed")
		return
	}
	for _, uri := range request.RedirectURIs {
		if err := validateRedirectURI(uri); err != nil {
			registrationError(w, "invalid_redirect_uri", "redirect_uris must be loopback URLs without a fragment")
			return
		}
	}
	client, ok := s.clients.register(request.RedirectURIs)
	if !ok {
		registrationError(w, "invalid_client_metadata", "too many clients are registered")
		return
	}
	s.config.Logger.InfoContext(r.Context(), "authorization server: registered a client",
		"client", client.ID, "redirect_uris", client.RedirectURIs)
	writeJSON(w, http.StatusCreated, registered{
		registration:            request,
		ClientID:                client.ID,
		GrantTypes:              client.GrantTypes,
		ResponseTypes:           []string{string(oidc.ResponseTypeCode)},
		TokenEndpointAuthMethod: string(oidc.AuthMethodNone),
	})
}

func registrationError(w http.ResponseWriter, code, description string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Debug("authorization server: the client went away", "error", err)
	}
}
