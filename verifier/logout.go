package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The bounds of a logout request, in bytes, and of the jti claims of one issuer that are
// remembered.
const (
	maxLogoutForm = 64 << 10
	maxLogoutIDs  = 10_000
)

// maxLogoutMemory is how long a logout token is good for at most, and how long its jti is
// remembered, beside the leeway.
const maxLogoutMemory = 10 * time.Minute

// maxLogoutAge is how long a logout token without exp is good for, beside the leeway
// (OpenID Connect Back-Channel Logout §2.4 recommends no more than that).
const maxLogoutAge = 2 * time.Minute

// logoutEvent is the member of events that makes a token a logout token (OpenID Connect
// Back-Channel Logout §2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// A LogoutConfig configures [Verifier.LogoutHandler].
type LogoutConfig struct {
	// ClientIDs are the clients that the endpoint is registered for at the issuers. The
	// aud of a logout token has to name one of them. At least one is required.
	ClientIDs []string

	// CutOff sets the cut-off of a logout token in place of [Verifier.CutOff], for
	// instance on every replica of the server: an issuer sends the token to one of them.
	// Its error is logged, and answered as one of Verifier.CutOff is; the issuer may
	// send the token again. It is called concurrently. Nil means Verifier.CutOff.
	CutOff func(ctx context.Context, cutoff Cutoff) error
}

// LogoutHandler returns a back-channel logout endpoint (OpenID Connect Back-Channel
// Logout §2.5), to which issuers of JWTs send logout tokens. A good one cuts off the
// session that it names, with the tokens of its user that name no session, or else all of
// the user, as [Verifier.CutOff] does. It needs no other guard, and must not stand behind
// one: an issuer has no access token.
//
// A logout token with a session and no user cuts off nothing else than tokens that name
// the session. Many providers put no sid into access tokens: tell yours to, or to name
// the user in logout tokens.
//
// A logout token is accepted once. Its typ is logout+jwt, or JWT where the issuer has
// AcceptTypeJWT. It has events, iat, exp, jti, sub or sid, no nonce, and a signature of the
// issuer (§2.6). It is good for 10 minutes after its iat at most, and one without exp, as
// Ory Hydra sends it, for 2 minutes. The answer is 200 when the cut-off is set, 400 for a token that is not
// good, and 503 if it could not be judged or no more cut-offs can be held: issuers may
// send it again.
func (v *Verifier) LogoutHandler(config LogoutConfig) (http.Handler, error) {
	faults := fault.List{Within: "verifier: LogoutConfig."}
	if len(config.ClientIDs) == 0 || slices.Contains(config.ClientIDs, "") {
		faults.Add("ClientIDs", "", "is empty, or has an empty element", "name the clients that the endpoint is registered for")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	cutOff := config.CutOff
	if cutOff == nil {
		cutOff = func(_ context.Context, cutoff Cutoff) error { return v.CutOff(cutoff) }
	}
	return &logoutHandler{verifier: v, clients: slices.Clone(config.ClientIDs), cutOff: cutOff, used: make(map[string]map[string]time.Time)}, nil
}

type logoutHandler struct {
	verifier *Verifier
	clients  []string
	cutOff   func(context.Context, Cutoff) error

	mu   sync.Mutex
	used map[string]map[string]time.Time // until when a jti is remembered, by issuer
}

func (h *logoutHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	err := h.logout(w, r)
	if err == nil {
		return
	}
	logOf(h.verifier.logger).LogAttrs(r.Context(), slog.LevelWarn, "a logout token was not accepted", slog.Any("error", err))
	status, body := http.StatusBadRequest, `{"error":"invalid_request","error_description":"the logout token is not accepted"}`
	if !errors.Is(err, token.ErrInvalid) {
		status, body = http.StatusServiceUnavailable, `{"error":"temporarily_unavailable"}`
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // A failure means that the issuer is gone.
}

func (h *logoutHandler) logout(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm["logout_token"]) != 1 {
		return invalid(errors.New("not a form with one logout_token"))
	}
	ctx := r.Context()
	cutoff, id, expiry, err := h.verify(ctx, r.PostForm.Get("logout_token"))
	if err != nil {
		return err
	}
	if err := h.use(cutoff.Issuer, id, expiry); err != nil {
		return err
	}
	if err := h.cutOff(ctx, cutoff); err != nil {
		// The issuer may send it again.
		h.mu.Lock()
		delete(h.used[cutoff.Issuer], id)
		h.mu.Unlock()
		return unavailable(err)
	}
	return nil
}

// verify returns the cut-off that a logout token asks for, and until when its jti has to
// be remembered.
func (h *logoutHandler) verify(ctx context.Context, raw string) (cutoff Cutoff, id string, expiry time.Time, err error) {
	if len(raw) > token.MaxLength {
		return Cutoff{}, "", time.Time{}, invalid(fmt.Errorf("longer than %d bytes", token.MaxLength))
	}
	front := &h.verifier.front
	p := presented{raw: raw, arrived: front.now()}
	found, err := front.router.route(&p)
	if err != nil {
		return Cutoff{}, "", time.Time{}, err
	}
	source, ok := found.(*issuer)
	if !ok {
		return Cutoff{}, "", time.Time{}, invalid(errors.New("its issuer has no JWTs"))
	}
	claims, expiry, err := source.verifyLogout(ctx, p)
	if err != nil {
		return Cutoff{}, "", time.Time{}, err
	}
	cutoff, jti, err := h.judge(claims)
	if err != nil {
		return Cutoff{}, "", time.Time{}, invalidPart("claims", err)
	}
	cutoff.Issuer = source.claims.issuer
	cutoff.Until = p.period.IssuedAt.At
	return cutoff, jti, expiry, nil
}

// judge checks the claims of a logout token (§2.6), apart from those that every JWT has.
func (h *logoutHandler) judge(claims jwt.Object) (cutoff Cutoff, id string, err error) {
	audience, err := claims.Texts("aud", single)
	if err != nil {
		return Cutoff{}, "", err
	}
	if !slices.ContainsFunc(audience, func(client string) bool { return slices.Contains(h.clients, client) }) {
		return Cutoff{}, "", errors.New("aud names none of the clients")
	}
	events, _ := claims["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return Cutoff{}, "", errors.New("events has no logout")
	}
	if claims.Has("nonce") {
		return Cutoff{}, "", errors.New("has the claim nonce, as an ID token has")
	}
	subject, subjectErr := claims.Text("sub")
	session, sessionErr := claims.Text("sid")
	id, idErr := claims.RequiredText("jti")
	switch {
	case cmp.Or(subjectErr, sessionErr, idErr) != nil:
		return Cutoff{}, "", cmp.Or(subjectErr, sessionErr, idErr)
	case session != "":
		return Cutoff{SessionID: session, Subject: subject}, id, nil
	case subject != "":
		return Cutoff{Subject: subject}, id, nil
	default:
		return Cutoff{}, "", errors.New("has neither sub nor sid")
	}
}

// use records that a jti of an issuer was used. It refuses one that was used before, and any
// if no more of the issuer can be remembered.
func (h *logoutHandler) use(issuer, id string, expiry time.Time) error {
	now := h.verifier.front.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	used := h.used[issuer]
	if used == nil {
		used = make(map[string]time.Time)
		h.used[issuer] = used
	}
	if until, ok := used[id]; ok && now.Before(until) {
		return invalid(errors.New("its jti was used before"))
	}
	if len(used) < maxLogoutIDs {
		used[id] = expiry
		return nil
	}
	for id, until := range used {
		if !now.Before(until) {
			delete(used, id)
		}
	}
	if len(used) >= maxLogoutIDs {
		return unavailable(fmt.Errorf("%d logout tokens of the issuer are remembered already", len(used)))
	}
	used[id] = expiry
	return nil
}

// verifyLogout checks type, time and signature of a logout token, and returns its claims
// and the instant from which it is refused.
func (i *issuer) verifyLogout(ctx context.Context, p presented) (jwt.Object, time.Time, error) {
	came := arrival{now: p.arrived, attempts: i.keys.attempts.Load()}
	// Its header is not one of the remembered ones, which belong to access tokens.
	header, err := i.logout.scan(p.segments.Header)
	if err != nil {
		return nil, time.Time{}, invalidPart("header", err)
	}
	if !p.period.IssuedAt.Present {
		return nil, time.Time{}, invalidPart("claims", errors.New("iat is missing"))
	}
	period := p.period
	if latest := period.IssuedAt.At.Add(maxLogoutMemory); period.Expiry.Present && period.Expiry.At.After(latest) {
		period.Expiry.At = latest
	}
	if !period.Expiry.Present { // It was optional before the final version.
		period.Expiry = jwt.Date{Present: true, At: period.IssuedAt.At.Add(maxLogoutAge)}
	}
	expiry, err := i.claims.checkPeriod(period, came.now)
	if err != nil {
		return nil, time.Time{}, invalidPart("claims", err)
	}
	signed := &signed{segments: p.segments, header: header, policy: &i.logout}
	if _, err := i.keys.verify(ctx, signed, came); err != nil {
		return nil, time.Time{}, err
	}
	claims, err := jwt.ParseObject(signed.payload)
	if err != nil {
		return nil, time.Time{}, invalidPart("claims", err)
	}
	// The scan before the signature believed nothing.
	if issuer, err := claims.RequiredText("iss"); err != nil || issuer != i.claims.issuer {
		return nil, time.Time{}, invalidPart("claims", &issuerError{issuer, []string{i.claims.issuer}})
	}
	if period, err := claims.Period(); err != nil || period != p.period {
		return nil, time.Time{}, invalidPart("claims", errors.New("are read in two ways"))
	}
	return claims, expiry, nil
}
