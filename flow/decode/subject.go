package decode

import (
	"strings"

	"github.com/why403/why403/flow"
)

// Subject is whom the credentials of a request stand for, in a form that only
// serves to compare: a token's issuer and subject, a user name, else the
// credential itself; "" for a request without any.
func Subject(h flow.Header) string {
	for _, t := range Tokens(h) {
		if sub := t.Subject(); sub != "" {
			return "jwt " + t.Issuer() + " " + sub
		}
	}
	if user, _, ok := Basic(h); ok {
		return "basic " + user
	}
	if v := h.Get("Authorization"); v != "" {
		return v
	}
	for _, f := range h {
		if IsAPIKeyHeader(f.Name) {
			return f.Name + " " + f.Value
		}
	}
	for _, c := range Cookies(h) {
		if IsSessionCookie(c.Name) {
			return "cookie " + c.Name + " " + c.Value
		}
	}
	return ""
}

// IsAPIKeyHeader reports whether a header field of that name carries a
// credential (Authorization and Cookie apart).
func IsAPIKeyHeader(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "api-key", "apikey", "x-goog-api-key", "ocp-apim-subscription-key", "x-auth-token", "x-access-token",
		"x-amz-security-token", "x-amz-access-token", "x-goog-iap-jwt-assertion", "cf-access-jwt-assertion", "x-vault-token", "private-token", "x-gitlab-token",
		"x-shopify-access-token", "x-figma-token", "circle-token", "x-csrf-session", "dpop", "x-functions-key", "x-ms-token-aad-access-token", "x-api-secret", "cf-access-client-secret", "x-auth-key":
		return true
	}
	return strings.HasSuffix(n, "api-key") || strings.HasSuffix(n, "apikey") || strings.HasSuffix(n, "-secret") || strings.HasSuffix(n, "auth-token") || strings.HasSuffix(n, "access-token")
}

// IsCSRFName reports whether a header, cookie or field of that name is a token against
// cross-site request forgery in some framework or product.
func IsCSRFName(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "authenticity_token", "__requestverificationtoken", "requestverificationtoken", "jenkins-crumb", "atl_token", "x-atlassian-token",
		"_wpnonce", "x-wp-nonce", "form_key", "form_build_id", "form_token", "_token", "nonce", "viewstateuserkey", "x-requested-by", ".crumb", "crumb":
		return true
	}
	return strings.Contains(n, "csrf") || strings.Contains(n, "xsrf") || strings.Contains(n, "antiforgery")
}

// IsSessionCookie reports whether a cookie of that name holds a session or a credential.
func IsSessionCookie(name string) bool {
	n := strings.ToLower(name)
	if IsCSRFName(n) {
		return false
	}
	switch n {
	case "sid", "connect.sid", "jsessionid", "phpsessid", "asp.net_sessionid", ".aspnet.cookies", ".aspxauth", "jwt", "auth", "token", "id_token", "idtoken", "laravel_session", "remember_token", "cf_authorization":
		return true
	}
	return strings.Contains(n, "sess") || strings.Contains(n, "auth") || strings.HasSuffix(n, "token") || strings.HasSuffix(n, "_jwt") || strings.HasPrefix(n, ".aspnetcore.identity")
}
