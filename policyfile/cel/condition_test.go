package cel_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/proto"
)

// The outcomes of a condition.
const (
	holds = "holds"
	not   = "not"
)

// judge returns holds, not, or the text of the error.
func judge(t *testing.T, requirement *policy.Requirement, in policy.Input) string {
	t.Helper()
	err := requirement.Check(t.Context(), in)
	if err == nil {
		return holds
	}
	shortfall, ok := errors.AsType[*policy.ShortfallError](err)
	if !ok || shortfall.Reason != challenge.ReasonForbidden {
		t.Fatalf("got %v, want a shortfall that no token mends", err)
	}
	text, failed := strings.CutPrefix(shortfall.Cause.Error(), "the condition of the rule: ")
	if !failed {
		return not
	}
	return text
}

const (
	absent   = "the token does not have this fact"
	noMember = "the token or the message does not have a claim, key or index that is read"
	wrong    = "a value is not of the type that is needed"
	number   = "a number is divided by zero, or too large"
	failed   = "an operation failed"
	null     = "a value is null, or a wrapper that is not set"
	beyond   = "a duration or time of the message is out of range"
	rounded  = "a double from 2^53 on stands beside an integer, which it may be rounded from"
	whole    = "a message is compared as a whole, or read without its type being known"
)

func TestToken(t *testing.T) {
	t.Parallel()
	anonymous := &token.Info{Issuer: "https://login.example.com"}
	conditions := newConditions(t)
	for _, tt := range []struct {
		condition string
		ada       string
		bare      string // a token that has no more than an issuer
	}{
		{`token.iss == "https://login.example.com"`, holds, holds},
		{`token.sub == "ada"`, holds, "1:6: " + absent},
		{`token.sub != "ada"`, not, "1:6: " + absent},
		{`!(token.sub == "ada")`, not, "1:8: " + absent},
		{`has(token.sub)`, holds, not},
		{`has(token.sub) && token.sub == "ada"`, holds, not},
		{`!has(token.sub) || token.sub == "ada"`, holds, holds},
		{`token.sub == token.sid`, not, "1:6: " + absent},
		{`token.client_id == "cli" && token.sid == "s-1"`, holds, "1:6: " + absent},
		{`token.party == "user"`, holds, not},
		{`token.party == "unknown"`, not, holds},
		{`token.acr in ["gold", "platinum"]`, holds, "1:6: " + absent},
		{`"https://api.example.com" in token.aud`, holds, not},
		{`"shop:write" in token.scopes`, holds, not},
		{`!("shop:write" in token.scopes)`, not, holds},
		{`token.scopes.exists(s, s.startsWith("shop:"))`, holds, not},
		{`token.scopes.all(s, s.startsWith("shop:"))`, holds, holds},
		{`token.scopes.size() == 2`, holds, not},
		{`size(token.scopes) > 0 && token.scopes[0] == "shop:read"`, holds, not},
		{`token.scopes[5] == "x"`, "1:13: " + noMember, "1:13: " + noMember},
		{`token.scopes == ["shop:read", "shop:write"]`, holds, not},
		{`["shop:read", "shop:write"] == token.scopes`, holds, not},
		{`token.scopes + ["x"] == ["x"]`, not, holds},
		{`dyn(1) in token.scopes`, not, not},
		{`type(token.scopes) == list`, holds, holds},
		{`sets.contains(token.scopes, ["shop:read"])`, holds, not},
		{`sets.intersects(token.scopes, ["shop:write", "x"])`, holds, not},
		{`sets.equivalent(token.scopes, ["shop:write", "shop:read"])`, holds, not},
		{`sets.contains(token.scopes, [])`, holds, holds},
		{`now - token.auth_time < duration("5m")`, holds, "1:12: " + absent},
		{`now - token.auth_time < duration("30s")`, not, "1:12: " + absent},
		{`token.iat > token.auth_time`, holds, "1:6: " + absent},
		{`now == timestamp("2026-11-25T12:00:00Z")`, holds, holds},
		{`now.getHours("Europe/Berlin") == 13 && now.getHours("-02:00") == 10 && now.getHours() == 12`, holds, holds},
		{`token.actor.sub == "bot" && token.actor.client_id == "agent"`, holds, "1:12: " + absent},
		{`token.actor.iss == token.iss`, holds, "1:12: " + absent},
		{`has(token.actor)`, holds, not},
		{`!has(token.actor) || token.actor.sub == "bot"`, holds, holds},
		{`token.sub.matches("^a.a$")`, holds, "1:6: " + absent},
		{`matches(token.iss, "example")`, holds, holds},
		{`token.iss.upperAscii() == "HTTPS://LOGIN.EXAMPLE.COM"`, holds, holds},
		{`token.iss.contains("login") && token.iss.endsWith(".com")`, holds, holds},
		{`true`, holds, holds},
		{`false`, not, not},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			requirement, err := compile(conditions, "", tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			if requirement.NeedsMessage() {
				t.Error("needs a message")
			}
			if got := judge(t, requirement, policy.Input{Info: ada(), Now: now}); got != tt.ada {
				t.Errorf("ada: got %q, want %q", got, tt.ada)
			}
			if got := judge(t, requirement, policy.Input{Info: anonymous, Now: now}); got != tt.bare {
				t.Errorf("bare: got %q, want %q", got, tt.bare)
			}
		})
	}
}

// TestClaims: numbers of claims are doubles, and compare by value.
func TestClaims(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	for _, tt := range []struct{ condition, want string }{
		{`token.claims.tenant == "acme"`, holds},
		{`token.claims["tenant"] == "acme"`, holds},
		{`token.claims["https://acme.com/tenant"] == token.claims.tenant`, holds},
		{`token.claims.tenant == "other"`, not},
		{`token.claims.team == "x"`, "1:13: " + noMember},
		{`token.claims.team != "x"`, "1:13: " + noMember},
		{`token.claims.team == token.claims.unit`, "1:13: " + noMember},
		{`has(token.claims.team)`, not},
		{`!has(token.claims.team)`, holds},
		{`!has(token.claims.team) || token.claims.team != "guest"`, holds},
		{`token.claims.team == "x" || true`, holds},
		{`token.claims.team == "x" && false`, not},
		{`"team" in token.claims`, not},
		{`"tenant" in token.claims`, holds},
		{`token.claims.level >= 3`, holds},
		{`token.claims.level >= 3.0`, holds},
		{`token.claims.level > 3u`, not},
		{`token.claims.level == 3`, holds},
		{`3 == token.claims.level`, holds},
		{`token.claims.level != 4`, holds},
		{`token.claims.level in [1, 3]`, holds},
		{`3 in token.claims.levels`, holds},
		{`2 in token.claims.levels`, not},
		{`int(token.claims.level) + 1 == 4`, holds},
		{`token.claims.level + 1.0 == 4.0`, holds},
		{`token.claims.level + 1 == 4`, "1:20: " + wrong},
		{`token.claims.ratio < 1`, holds},
		{`token.claims.tenant >= 3`, "1:21: " + wrong},
		{`token.claims.tenant == 3`, not},
		{`token.claims.admin == true`, holds},
		{`token.claims.admin ? token.claims.level == 3 : false`, holds},
		{`token.claims.none == "x"`, "1:13: " + noMember},
		{`token.claims.none != "x"`, "1:13: " + noMember},
		{`has(token.claims.none)`, not},
		{`"none" in token.claims`, not},
		{`token.claims["none"] == token.claims.none`, "1:13: " + noMember},
		{`dyn(1) in token.claims`, not},
		{`token.claims.size() > 5 && token.claims.exists(k, k == "none")`, holds},
		{`token.claims.all(k, token.claims[k] != "x")`, "1:33: " + noMember},
		{`type(token.claims) == map && type(token.claims.realm_access) == map`, holds},
		{`token.claims.realm_access == {"roles": ["owner"]} && {"roles": ["owner"]} == token.claims.realm_access`, holds},
		{`token.claims.realm_access[dyn(1)] == 1`, "1:26: " + noMember},
		{`token.claims.nulls == {"a": 1}`, "1:20: " + null},
		{`token.claims.nulls == token.claims.nulls`, "1:20: " + null},
		{`token.claims.holes == ["a", "b"]`, not},
		{`token.claims.holes == ["a", "x", "b"]`, "1:20: " + null},
		{`token.claims.holes == ["a", "b", "c"]`, not},
		{`"b" in token.claims.holes`, holds},
		{`"c" in token.claims.holes`, "1:5: " + null},
		{`!("c" in token.claims.holes)`, "1:7: " + null},
		{`token.claims.holes[1] == "x"`, "1:23: " + null},
		{`token.claims.holes.exists(r, r == "b")`, holds},
		{`token.claims.holes.all(r, r != "c")`, "1:27: " + null},
		{`sets.contains(token.claims.holes, ["a", "b"])`, holds},
		{`sets.contains(token.claims.holes, ["a", "c"])`, "1:14: " + null},
		{`sets.intersects(token.claims.holes, ["x"])`, "1:16: " + null},
		{`"admin" in token.claims.roles`, holds},
		{`token.claims.roles.exists(r, r == "dev")`, holds},
		{`token.claims.roles.all(r, r == "dev")`, not},
		{`token.claims.roles.filter(r, r == "dev").size() == 1`, holds},
		{`token.claims.roles.map(r, r + "!").exists(r, r == "dev!")`, holds},
		{`token.claims.tenant.exists(r, r == "dev")`, wrong},
		{`"owner" in token.claims.realm_access.roles`, holds},
		{`"a1" in token.claims.accounts`, holds},
		{`sets.contains(token.claims.accounts, ["a1", "a2"])`, holds},
		{`sets.contains(token.claims.tenant, ["a1", "a2"])`, "1:14: " + wrong},
		{`token.claims.realm_access.groups == 1`, "1:26: " + noMember},
		{`token.claims.tenant.inner == 1`, "1:20: " + noMember},
		{`token.claims.levels[1] == 3`, holds},
		{`token.claims.levels[2] == 3`, "1:20: " + noMember},
		{`token.claims.levels[token.claims.tenant] == 3`, "1:20: " + wrong},
		{`1 / (int(token.claims.level) - 3) == 1`, "1:3: " + number},
		{`int(token.claims.tenant) == 1`, "1:4: " + wrong},
		{`token.claims.email.lowerAscii() == "ada@example.com"`, holds},
		{`"projects/p1/x".startsWith("projects/" + token.claims.project + "/")`, holds},
		{`"ADA@example.com".lowerAscii() == token.claims.email.lowerAscii()`, holds},
		{`token.party == "user" && now - token.auth_time < duration("15m")`, holds},
		{`token.claims.level.lowerAscii() == "x"`, "1:30: " + wrong},
		{`token.claims.level.matches("x")`, "1:27: " + wrong},
		{`timestamp(token.claims.tenant) < now`, "1:10: " + failed},
		{`timestamp(int(token.claims.level) * 1000000000000000) > now`, number},
		{`int(token.claims.level) * 9000000000000000000 > 1`, "1:25: " + number},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			requirement, err := compile(conditions, "AdjustStock", tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			if got := judge(t, requirement, policy.Input{Info: ada(), Now: now}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRPC(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	for _, tt := range []struct {
		condition string
		procedure string
		want      string
	}{
		{`rpc.procedure == "/shop.v1.ShopService/Store"`, "/shop.v1.ShopService/Store", holds},
		{`rpc.service == "shop.v1.ShopService" && rpc.method == "Store"`, "/shop.v1.ShopService/Store", holds},
		{`rpc.method.matches("^(Get|List)") || token.acr == "gold"`, "/shop.v1.ShopService/Store", holds},
		{`rpc.method == "Find"`, "/shop.v1.ShopService/Store", not},
		// A plain HTTP request.
		{`rpc.service == "shop.v1.ShopService"`, "", holds},
		{`rpc.method == "Find"`, "", "1:4: " + absent},
		{`has(rpc.procedure)`, "", not},
	} {
		requirement, err := compile(conditions, "", tt.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := judge(t, requirement, policy.Input{Info: ada(), Procedure: tt.procedure}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.condition, got, tt.want)
		}
	}
}

// The message of a unary call.
func TestMessage(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	requirement, err := compile(conditions, "AdjustStock", bulk)
	if err != nil {
		t.Fatal(err)
	}
	if !requirement.NeedsMessage() {
		t.Error("needs no message")
	}
	few, many := messageOf(shop, "AdjustStockRequest", "delta: 99"), messageOf(shop, "AdjustStockRequest", "delta: 100")
	for _, tt := range []struct {
		name    string
		info    *token.Info
		message proto.Message
		want    string
	}{
		{"few", ada(), few, holds},
		{"many", ada(), many, not},
		{"many, granted", granted(), many, holds},
		{"another type", granted(), stored(""), "the message is not of the type that the rule was compiled for"},
	} {
		if got := judge(t, requirement, policy.Input{Info: tt.info, Message: tt.message}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if err := requirement.Check(t.Context(), policy.Input{Info: granted()}); !errors.Is(err, policy.ErrNeedsMessage) {
		t.Errorf("without a message: got %v", err)
	}
}

// A Condition judges no call without what it reads, whoever calls it.
func TestWithout(t *testing.T) {
	t.Parallel()
	condition, err := newConditions(t).CompileCondition("request.delta == 0", policy.Target{Request: messageIn(shop, "AdjustStockRequest")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := condition.Holds(t.Context(), policy.Input{Info: ada()}); !errors.Is(err, policy.ErrNeedsMessage) {
		t.Errorf("without a message: got %v", err)
	}
	if held, err := condition.Holds(t.Context(), policy.Input{Message: stored("")}); held || err == nil {
		t.Errorf("without a token: got %v, %v", held, err)
	}
}

// Conditions are compiled and judged side by side, also those that fail.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, text := range append([]string{`timestamp(int(token.claims.level) * 1000000000000000) > now`, `request.names.all(n, n.x == 1)`}, texts...) {
				requirement, err := compile(conditions, "Store", text)
				if err != nil {
					continue
				}
				for range 20 {
					for _, message := range []proto.Message{stored(everything), stored("")} {
						_ = requirement.Check(t.Context(), policy.Input{Info: ada(), Message: message})
					}
				}
			}
		})
	}
	wg.Wait()
}
