package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The scenarios of programs with tokens, keys and bodies of their own making.

// pair sends the accepted and then the refused request of a scenario with a JSON body each.
func pair(ctx context.Context, p *persona, s Scenario, body string, accepted, refused []string) error {
	if _, err := p.want(ctx, s.Accepted.Status, s.Accepted.Method, s.Accepted.URL, body, asJSON, accepted); err != nil {
		return err
	}
	_, err := p.want(ctx, s.Refused.Status, s.Refused.Method, s.Refused.URL, body, asJSON, refused)
	return err
}

func withToken(token string) []string { return []string{"Authorization", "Bearer " + token} }

func (v *visit) amount() string {
	return fmt.Sprintf(`{"amount":%d,"currency":"EUR","order":%d}`, 990+70*(v.round%30), 4101+v.round%900)
}

var expiredToken = Scenario{
	Name:    "expired-token",
	Title:   "the app still has yesterday's access token",
	Feature: "exp is compared with the answer's Date; a newer token was issued in this session",
	Client:  "requests", Cause: "expired-token", Item: 4,
	Accepted: Mark{"POST", "https://pay.shop.test/v1/payments", 201},
	Refused:  Mark{"POST", "https://pay.shop.test/v1/payments", 401},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		fresh, err := v.token(ctx, v.requests, "maria", "shop-pay", "payments:read payments:write")
		if err != nil {
			return err
		}
		stale := v.server.mint("maria", "shop-pay", "payments:read payments:write", v.server.now().Add(-26*time.Hour))
		return pair(ctx, v.requests, s, v.amount(), withToken(fresh), withToken(stale))
	},
}

var insufficientScope = Scenario{
	Name:    "insufficient-scope",
	Title:   "the token lacks the scope for refunds",
	Feature: "the scopes of the two tokens, claim by claim",
	Client:  "requests", Cause: "insufficient-scope", Item: 4,
	Accepted: Mark{"POST", "https://pay.shop.test/v1/refunds", 201},
	Refused:  Mark{"POST", "https://pay.shop.test/v1/refunds", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		wide, err := v.token(ctx, v.requests, "maria", "shop-pay", "payments:write refunds:write")
		if err != nil {
			return err
		}
		narrow, err := v.token(ctx, v.requests, "maria", "shop-pay", "payments:read")
		if err != nil {
			return err
		}
		return pair(ctx, v.requests, s, v.amount(), withToken(wide), withToken(narrow))
	},
}

var wrongAudience = Scenario{
	Name:    "wrong-audience",
	Title:   "the token was issued for another service",
	Feature: "aud against the token that was accepted",
	Client:  "requests", Cause: "wrong-audience", Item: 4,
	Accepted: Mark{"POST", "https://pay.shop.test/v1/payouts", 201},
	Refused:  Mark{"POST", "https://pay.shop.test/v1/payouts", 401},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		right, err := v.token(ctx, v.requests, "lena", "shop-pay", "payments:write")
		if err != nil {
			return err
		}
		other, err := v.token(ctx, v.requests, "lena", "shop-catalog", "catalog:read payments:write")
		if err != nil {
			return err
		}
		return pair(ctx, v.requests, s, v.amount(), withToken(right), withToken(other))
	},
}

var ownership = Scenario{
	Name:    "ownership",
	Title:   "the invoice belongs to somebody else",
	Feature: "the token's subject against the owner",
	Client:  "requests", Cause: "ownership", Item: 18,
	Accepted: Mark{"POST", "https://pay.shop.test/v1/invoices/4711/cancel", 200},
	Refused:  Mark{"POST", "https://pay.shop.test/v1/invoices/4711/cancel", 403},
	Fix:      FixGrant,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		owner, err := v.token(ctx, v.requests, "lena", "shop-pay", "payments:write")
		if err != nil {
			return err
		}
		other, err := v.token(ctx, v.requests, "tom", "shop-pay", "payments:write")
		if err != nil {
			return err
		}
		return pair(ctx, v.requests, s, `{"reason":"ordered twice"}`, withToken(owner), withToken(other))
	},
}

var missingRole = Scenario{
	Name:    "missing-role",
	Title:   "a viewer may not publish",
	Feature: "the roles of the two users, and whom to ask",
	Client:  "requests", Cause: "missing-role", Item: 18,
	Accepted: Mark{"POST", "https://catalog.shop.test/v1/products/1042/publish", 200},
	Refused:  Mark{"POST", "https://catalog.shop.test/v1/products/1042/publish", 403},
	Fix:      FixGrant,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		editor, err := v.token(ctx, v.requests, "lena", "shop-catalog", "catalog:write")
		if err != nil {
			return err
		}
		viewer, err := v.token(ctx, v.requests, "tom", "shop-catalog", "catalog:write")
		if err != nil {
			return err
		}
		return pair(ctx, v.requests, s, `{"visible":true}`, withToken(editor), withToken(viewer))
	},
}

var missingToken = Scenario{
	Name:    "missing-token",
	Title:   "the request carries no token at all",
	Feature: "401 and 403 told apart; the credential of the last success",
	Client:  "node", Cause: "missing-token", Item: 4,
	Accepted: Mark{"POST", "https://catalog.shop.test/v1/reviews", 201},
	Refused:  Mark{"POST", "https://catalog.shop.test/v1/reviews", 401},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		token, err := v.token(ctx, v.node, "maria", "shop-catalog", "reviews:write")
		if err != nil {
			return err
		}
		body := fmt.Sprintf(`{"sku":"A1","stars":%d,"text":"like it"}`, 1+v.round%5)
		return pair(ctx, v.node, s, body, []string{"authorization", "Bearer " + token}, nil)
	},
}

var malformedToken = Scenario{
	Name:    "malformed-token",
	Title:   "the token was sent without the word Bearer",
	Feature: "the syntax of Authorization",
	Client:  "curl", Cause: "malformed-token", Item: 4,
	Accepted: Mark{"POST", "https://partner.shop.test/v1/shipments", 201},
	Refused:  Mark{"POST", "https://partner.shop.test/v1/shipments", 401},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Authorization", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		token, err := v.token(ctx, v.curl, "maria", "shop-partner", "")
		if err != nil {
			return err
		}
		body := fmt.Sprintf(`{"order":%d,"carrier":"bike"}`, 4101+v.round)
		return pair(ctx, v.curl, s, body, withToken(token), []string{"Authorization", token})
	},
}

var contentType = Scenario{
	Name:    "content-type-mismatch",
	Title:   "JSON was sent as text/plain",
	Feature: "the type against the bytes of the body and against the last success",
	Client:  "node", Cause: "content-type-mismatch", Item: 3,
	Accepted: Mark{"POST", "https://catalog.shop.test/v1/products", 201},
	Refused:  Mark{"POST", "https://catalog.shop.test/v1/products", 415},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Content-Type", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		token, err := v.token(ctx, v.node, "lena", "shop-catalog", "catalog:write")
		if err != nil {
			return err
		}
		bearer := []string{"authorization", "Bearer " + token}
		typed := append([]string{"content-type", "application/json"}, bearer...)
		plain := append([]string{"content-type", "text/plain;charset=UTF-8"}, bearer...)
		body := fmt.Sprintf(`{"sku":"N%d","name":"Night tea","price":"7.90"}`, 1+v.round)
		return pair(ctx, v.node, s, body, typed, plain)
	},
}

var trailingSlash = Scenario{
	Name:    "trailing-slash",
	Title:   "one slash too many, and no rule allows that URL",
	Feature: "the URL against the ones that this host has accepted",
	Client:  "curl", Cause: "trailing-slash", Item: 2,
	Accepted: Mark{"POST", "https://catalog.shop.test/v1/carts", 201},
	Refused:  Mark{"POST", "https://catalog.shop.test/v1/carts/", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"path", "", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		return pair(ctx, v.curl, s, fmt.Sprintf(`{"sku":"C7","qty":%d}`, 1+v.round%4), nil, nil)
	},
}

var malformedBody = Scenario{
	Name:    "malformed-body",
	Title:   "a Python dict was sent in place of JSON",
	Feature: "the body is parsed, with the position of the mistake",
	Client:  "requests", Cause: "malformed-body", Item: 6,
	Accepted: Mark{"POST", "https://partner.shop.test/v1/imports", 201},
	Refused:  Mark{"POST", "https://partner.shop.test/v1/imports", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"body", "", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		body := fmt.Sprintf(`{"source": "till", "rows": %d}`, 10+v.round)
		if _, err := v.requests.want(ctx, 201, "POST", s.Accepted.URL, body, asJSON); err != nil {
			return err
		}
		dict := fmt.Sprintf(`{'source': 'till', 'rows': %d}`, 10+v.round)
		_, err := v.requests.want(ctx, 403, "POST", s.Refused.URL, dict, asJSON)
		return err
	},
}

var missingHeader = Scenario{
	Name:    "missing-header",
	Title:   "the tenant's header is missing",
	Feature: "the header that every accepted request had",
	Client:  "curl", Cause: "missing-header", Item: 12,
	Accepted: Mark{"POST", "https://partner.shop.test/v1/webhooks", 201},
	Refused:  Mark{"POST", "https://partner.shop.test/v1/webhooks", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "X-Tenant-ID", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		body := fmt.Sprintf(`{"event":"order.paid","order":%d}`, 4101+v.round)
		return pair(ctx, v.curl, s, body, []string{"X-Tenant-ID", "north"}, nil)
	},
}

var rateLimit = Scenario{
	Name:    "rate-limit",
	Title:   "too many searches in five seconds",
	Feature: "the rate before the refusal, and how long to wait",
	Client:  "curl", Cause: "rate-limit", Item: 13,
	Accepted: Mark{"POST", "https://catalog.shop.test/v1/search", 200},
	Refused:  Mark{"POST", "https://catalog.shop.test/v1/search", 429},
	Fix:      FixWait,
	play: func(ctx context.Context, v *visit, s Scenario) error {
		body := fmt.Sprintf(`{"query":"%s"}`, []string{"green tea", "cups", "cake"}[v.round%3])
		for range burst + 1 {
			a, err := v.curl.send(ctx, "POST", s.Refused.URL, body, asJSON, []string{"X-Api-Key", "till-3"})
			if err != nil || a.status == http.StatusTooManyRequests {
				return err
			}
		}
		return fmt.Errorf("%d searches in a row were all accepted", burst+1)
	},
}
