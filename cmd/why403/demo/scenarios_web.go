package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// The scenarios of the shop's pages, played by a browser with a session cookie.

var csrfMissing = Scenario{
	Name:    "csrf-missing",
	Title:   "the CSRF cookie came without its header",
	Feature: "the double submit is checked again, and the cookie's value is offered as the header",
	Client:  "browser", Cause: "csrf-missing", Vendor: "django-rest-framework", Item: 5,
	Accepted: Mark{"POST", "https://api.shop.test/v1/orders", 201},
	Refused:  Mark{"POST", "https://api.shop.test/v1/orders", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", csrfHeader, FromCookie + csrfCookie}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		if err := v.signIn(ctx); err != nil {
			return err
		}
		body := fmt.Sprintf(`{"items":[{"sku":"A1","qty":%d}]}`, 2+v.round%5)
		if _, err := v.browser.want(ctx, 201, "POST", s.Accepted.URL, body, calling, asJSON, v.csrf()); err != nil {
			return err
		}
		_, err := v.browser.want(ctx, 403, "POST", s.Refused.URL, body, calling, asJSON)
		return err
	},
}

var csrfMismatch = Scenario{
	Name:    "csrf-mismatch",
	Title:   "the form was opened before the login changed the token",
	Feature: "masked tokens are compared by their secret, cookie against form field",
	Client:  "browser", Cause: "csrf-mismatch", Vendor: "django", Item: 5,
	Accepted: Mark{"POST", "https://www.shop.test/checkout/", 200},
	Refused:  Mark{"POST", "https://www.shop.test/checkout/", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"form", csrfField, FromCookie + csrfCookie}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		if err := v.signIn(ctx); err != nil {
			return err
		}
		target := s.Refused.URL
		form, err := v.browser.want(ctx, 200, "GET", target, "", opening)
		if err != nil {
			return err
		}
		referer := []string{"Referer", target}
		rest := "&address=" + url.QueryEscape(fmt.Sprintf("Lindenweg %d", 3+v.round%40))
		if _, err = v.browser.want(ctx, 200, "POST", target, csrfField+"="+hidden(form.body)+rest, submitting, referer); err != nil {
			return err
		}
		_, err = v.browser.want(ctx, 403, "POST", target, csrfField+"="+v.oldForm+rest, submitting, referer)
		return err
	},
}

var wrongMethod = Scenario{
	Name:    "wrong-method",
	Title:   "PUT on a resource that takes PATCH",
	Feature: "Allow and the last success name the method",
	Client:  "browser", Cause: "wrong-method", Vendor: "django-rest-framework", Item: 1,
	Accepted: Mark{"PATCH", "https://api.shop.test/v1/profile", 200},
	Refused:  Mark{"PUT", "https://api.shop.test/v1/profile", 405},
	Fix:      FixPatch,
	Edits:    []Edit{{"method", "", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		if err := v.signIn(ctx); err != nil {
			return err
		}
		body := fmt.Sprintf(`{"language":"%s"}`, []string{"en", "de", "fr"}[v.round%3])
		if _, err := v.browser.want(ctx, 200, "PATCH", s.Accepted.URL, body, calling, asJSON, v.csrf()); err != nil {
			return err
		}
		_, err := v.browser.want(ctx, 405, "PUT", s.Refused.URL, body, calling, asJSON, v.csrf())
		return err
	},
}

var postBecameGet = Scenario{
	Name:    "post-became-get",
	Title:   "a redirect to the URL with a slash turned the POST into a GET",
	Feature: "the chain of redirects is one story",
	Client:  "browser", Cause: "wrong-method", Also: []string{"trailing-slash"}, Item: 1,
	Accepted: Mark{"POST", "https://www.shop.test/basket/clear/", 200},
	Refused:  Mark{"GET", "https://www.shop.test/basket/clear/", 405},
	Fix:      FixPatch,
	Edits:    []Edit{{"method", "", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		if err := v.signIn(ctx); err != nil {
			return err
		}
		same := []string{"Accept", "application/json", "Origin", "https://www.shop.test", "Referer", homePage,
			"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}
		if _, err := v.browser.want(ctx, 200, "POST", s.Accepted.URL, "", same, v.csrf()); err != nil {
			return err
		}
		_, err := v.browser.want(ctx, 405, "POST", strings.TrimSuffix(s.Refused.URL, "/"), "", same, v.csrf())
		return err
	},
}

var originMismatch = Scenario{
	Name:    "origin-mismatch",
	Title:   "a preview page calls an API that trusts only the shop's pages",
	Feature: "Origin is compared with the origins that were accepted",
	Client:  "browser", Cause: "origin-mismatch", Item: 5,
	Accepted: Mark{"POST", "https://partner.shop.test/v1/newsletter", 201},
	Refused:  Mark{"POST", "https://partner.shop.test/v1/newsletter", 403},
	Fix:      FixPatch,
	Edits:    []Edit{{"header", "Origin", FromAccepted}},
	play: func(ctx context.Context, v *visit, s Scenario) error {
		// A form needs no preflight (Fetch, 4.1: CORS-safelisted Content-Type).
		form := []string{"Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"}
		body := fmt.Sprintf("email=reader%d%%40example.test", v.round)
		if _, err := v.browser.want(ctx, 201, "POST", s.Accepted.URL, body, calling, form); err != nil {
			return err
		}
		preview := []string{"Origin", "https://preview.shop.test", "Referer", "https://preview.shop.test/"}
		_, err := v.browser.want(ctx, 403, "POST", s.Refused.URL, body, calling, form, preview)
		return err
	},
}

// hidden is the token in a page's form, ready for a form body.
func hidden(page string) string {
	_, rest, _ := strings.Cut(page, `name="`+csrfField+`" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}
