package demo

import (
	"crypto/rand"
	"crypto/subtle"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The CSRF check of the shop's Django-like services follows Django 4.2,
// django/middleware/csrf.py: names, order of the checks, reasons and token forms.
const (
	csrfCookie   = "csrftoken"
	csrfField    = "csrfmiddlewaretoken"
	csrfHeader   = "X-CSRFToken"
	secretLength = 32
	alphabet     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	cookieDomain = "shop.test"
)

var trustedOrigins = []string{"https://www.shop.test"}

// csrfReason says why Django would reject an unsafe request, in its words; "" passes.
func csrfReason(r *http.Request) string {
	if reason := csrfSource(r); reason != "" {
		return reason
	}
	c, err := r.Cookie(csrfCookie)
	if err != nil {
		return "CSRF cookie not set."
	}
	if bad := tokenForm(c.Value); bad != "" {
		return "CSRF cookie " + bad + "."
	}
	token, source := r.PostFormValue(csrfField), "POST"
	if token == "" {
		token, source = r.Header.Get(csrfHeader), "the 'X-Csrftoken' HTTP header"
	}
	if token == "" {
		return "CSRF token missing."
	}
	bad := tokenForm(token)
	if bad == "" && subtle.ConstantTimeCompare([]byte(secretOf(token)), []byte(secretOf(c.Value))) != 1 {
		bad = "incorrect"
	}
	if bad != "" {
		return "CSRF token from " + source + " " + bad + "."
	}
	return ""
}

// csrfSource checks where the request comes from: Origin if it is there, else
// (all of this is HTTPS) Referer.
func csrfSource(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" {
		if origin == "https://"+r.Host || slices.Contains(trustedOrigins, origin) {
			return ""
		}
		return "Origin checking failed - " + origin + " does not match any trusted origins."
	}
	referer := r.Header.Get("Referer")
	if referer == "" {
		return "Referer checking failed - no Referer."
	}
	u, err := url.Parse(referer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "Referer checking failed - Referer is malformed."
	case u.Scheme != "https":
		return "Referer checking failed - Referer is insecure while host is secure."
	case u.Host != r.Host && !slices.Contains(trustedOrigins, "https://"+u.Host):
		return "Referer checking failed - " + referer + " does not match any trusted origins."
	}
	return ""
}

// tokenForm says what is wrong with the form of a token: a secret of 32
// characters, or the same masked by 32 random ones before it.
func tokenForm(token string) string {
	if len(token) != secretLength && len(token) != 2*secretLength {
		return "has incorrect length"
	}
	if strings.Trim(token, alphabet) != "" {
		return "has invalid characters"
	}
	return ""
}

// secretOf takes the mask off a token (Django's _unmask_cipher_token).
func secretOf(token string) string {
	if len(token) != 2*secretLength {
		return token
	}
	mask, masked := token[:secretLength], token[secretLength:]
	secret := make([]byte, secretLength)
	for i := range secret {
		n := strings.IndexByte(alphabet, masked[i]) - strings.IndexByte(alphabet, mask[i])
		secret[i] = alphabet[(n+len(alphabet))%len(alphabet)]
	}
	return string(secret)
}

// masked is a token for a form, different at every call (Django's _mask_cipher_secret).
func masked(secret string) string {
	mask := newSecret()
	token := make([]byte, secretLength)
	for i := range token {
		n := strings.IndexByte(alphabet, secret[i]) + strings.IndexByte(alphabet, mask[i])
		token[i] = alphabet[n%len(alphabet)]
	}
	return mask + string(token)
}

func newSecret() string {
	b := make([]byte, secretLength)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// csrfToken is the request's secret, or a new one given to the client (Django's get_token).
func csrfToken(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(csrfCookie); err == nil && tokenForm(c.Value) == "" {
		return secretOf(c.Value)
	}
	return rotateToken(w)
}

// rotateToken gives the client a new secret, as Django does at every login.
func rotateToken(w http.ResponseWriter) string {
	secret := newSecret()
	http.SetCookie(w, &http.Cookie{Name: csrfCookie, Value: secret, Domain: cookieDomain, Path: "/",
		MaxAge: 31449600, Secure: true, SameSite: http.SameSiteLaxMode})
	return secret
}

// csrfPage is Django's answer to a failed check outside of REST framework, with DEBUG on.
func csrfPage(reason string) string {
	return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta http-equiv="content-type" content="text/html; charset=utf-8">
  <meta name="robots" content="NONE,NOARCHIVE">
  <title>403 Forbidden</title>
</head>
<body>
<div id="summary">
  <h1>Forbidden <span>(403)</span></h1>
  <p>CSRF verification failed. Request aborted.</p>
</div>

<div id="info">
  <h2>Help</h2>
    <p>Reason given for failure:</p>
    <pre>
    ` + html.EscapeString(reason) + `
    </pre>

  <p>In general, this can occur when there is a genuine Cross Site Request Forgery, or when
  <a href="https://docs.djangoproject.com/en/4.2/ref/csrf/">Django’s
  CSRF mechanism</a> has not been used correctly.  For POST forms, you need to
  ensure:</p>

  <ul>
    <li>Your browser is accepting cookies.</li>
    <li>The form has a valid CSRF token. After logging in in another browser
    tab or hitting the back button after a login, you may need to reload the
    page with the form, because the token is rotated after a login.</li>
  </ul>

  <p>You’re seeing the help section of this page because you have <code>DEBUG =
  True</code> in your Django settings file. Change that to <code>False</code>,
  and only the initial error message will be displayed.  </p>
</div>
</body>
</html>
`
}
