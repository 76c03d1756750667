package demo

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The reasons and their order are Django 4.2's.
func TestCSRFReasons(t *testing.T) {
	secret, other := newSecret(), newSecret()
	const page = "https://www.shop.test/checkout/"
	for _, c := range []struct {
		name, origin, referer, cookie, header, field string
		want                                         string
	}{
		{name: "header equals cookie", origin: "https://www.shop.test", cookie: secret, header: secret},
		{name: "masked header", origin: "https://www.shop.test", cookie: secret, header: masked(secret)},
		{name: "masked field", referer: page, cookie: secret, field: masked(secret)},
		{name: "masked cookie of Django 3", referer: page, cookie: masked(secret), header: masked(secret)},
		{name: "the field goes first", referer: page, cookie: secret, header: secret, field: masked(other),
			want: "CSRF token from POST incorrect."},
		{name: "no token", origin: "https://www.shop.test", cookie: secret, want: "CSRF token missing."},
		{name: "no cookie", origin: "https://www.shop.test", header: secret, want: "CSRF cookie not set."},
		{name: "another's token", origin: "https://www.shop.test", cookie: secret, header: masked(other),
			want: "CSRF token from the 'X-Csrftoken' HTTP header incorrect."},
		{name: "short token", referer: page, cookie: secret, header: secret[1:],
			want: "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length."},
		{name: "odd token", referer: page, cookie: secret, field: "-" + secret[1:],
			want: "CSRF token from POST has invalid characters."},
		{name: "odd cookie", referer: page, cookie: "x", header: secret, want: "CSRF cookie has incorrect length."},
		{name: "neither origin nor referer", cookie: secret, header: secret, want: "Referer checking failed - no Referer."},
		{name: "insecure referer", referer: "http://www.shop.test/", cookie: secret, header: secret,
			want: "Referer checking failed - Referer is insecure while host is secure."},
		{name: "relative referer", referer: "/checkout/", cookie: secret, header: secret,
			want: "Referer checking failed - Referer is malformed."},
		{name: "another's page", referer: "https://evil.test/", cookie: secret, header: secret,
			want: "Referer checking failed - https://evil.test/ does not match any trusted origins."},
		{name: "another's origin before all else", origin: "https://evil.test",
			want: "Origin checking failed - https://evil.test does not match any trusted origins."},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := url.Values{}
			if c.field != "" {
				body.Set(csrfField, c.field)
			}
			r := httptest.NewRequest("POST", page, strings.NewReader(body.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range map[string]string{"Origin": c.origin, "Referer": c.referer, csrfHeader: c.header} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: csrfCookie, Value: c.cookie})
			}
			if got := csrfReason(r); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestMaskIsDifferentEachTime(t *testing.T) {
	secret := newSecret()
	a, b := masked(secret), masked(secret)
	if a == b {
		t.Error("two masked tokens are equal")
	}
	if len(a) != 2*secretLength || secretOf(a) != secret || secretOf(b) != secret {
		t.Errorf("%s and %s do not hide %s", a, b, secret)
	}
}
