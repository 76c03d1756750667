package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "sessionid"
	sessionFor    = 12 * time.Hour
)

// login gives the client a signed session cookie, so that the server need not
// keep sessions, and a new CSRF secret.
func (s *Server) login(w http.ResponseWriter, user string) {
	value := user + ":" + strconv.FormatInt(s.now().Add(sessionFor).Unix(), 10)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: s.signed(value), Domain: cookieDomain, Path: "/",
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
	rotateToken(w)
}

// user is who the request's session belongs to; "" is nobody.
func (s *Server) user(r *http.Request) string {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	value, _, _ := strings.Cut(c.Value, ".")
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || !hmac.Equal([]byte(s.signed(string(raw))), []byte(c.Value)) {
		return ""
	}
	name, until, _ := strings.Cut(string(raw), ":")
	if end, err := strconv.ParseInt(until, 10, 64); err != nil || s.now().Unix() >= end {
		return ""
	}
	return name
}

func (s *Server) signed(value string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("session " + value))
	return base64.RawURLEncoding.EncodeToString([]byte(value)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:20])
}

// methods are the handlers of one URL of a Django-like service, by method.
type methods map[string]http.HandlerFunc

// allow is the Allow field, in the order that Django lists methods.
func (m methods) allow() string {
	var names []string
	for _, name := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} {
		_, ok := m[name]
		if ok || name == "OPTIONS" || name == "HEAD" && m["GET"] != nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func (m methods) of(method string) http.HandlerFunc {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return m[method]
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// api is a view as Django REST framework's APIView with session authentication
// dispatches it: user, then CSRF, then method.
func (s *Server) api(m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Accept, Cookie, Origin")
		h.Set("Allow", m.allow())
		securityFields(h)
		if o := r.Header.Get("Origin"); o == trustedOrigins[0] {
			h.Set("Access-Control-Allow-Origin", o)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if r.Method == http.MethodOptions { // a CORS preflight carries no cookies
			h.Set("Access-Control-Allow-Methods", m.allow())
			h.Set("Access-Control-Allow-Headers", "content-type, x-csrftoken")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if s.user(r) == "" {
			answerJSON(w, http.StatusForbidden, detail{"Authentication credentials were not provided."})
			return
		}
		if !safe(r.Method) {
			if reason := csrfReason(r); reason != "" {
				answerJSON(w, http.StatusForbidden, detail{"CSRF Failed: " + reason})
				return
			}
		}
		view := m.of(r.Method)
		if view == nil {
			answerJSON(w, http.StatusMethodNotAllowed, detail{fmt.Sprintf("Method %q not allowed.", r.Method)})
			return
		}
		view(w, r)
	})
}

type detail struct {
	Detail string `json:"detail"`
}

// site is a view as Django's own middlewares and View dispatch it: CSRF, then method.
func (s *Server) site(m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Cookie")
		securityFields(h)
		if !safe(r.Method) {
			if reason := csrfReason(r); reason != "" {
				answerHTML(w, http.StatusForbidden, csrfPage(reason))
				return
			}
		}
		view := m.of(r.Method)
		if view == nil {
			h.Set("Allow", m.allow())
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Length", "0")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		view(w, r)
	})
}

// securityFields are those of Django's SecurityMiddleware and XFrameOptionsMiddleware.
func securityFields(h http.Header) {
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// appendSlash finds a page by its exact path. It redirects a URL that is known
// only with a slash at its end, with the 301 of Django's CommonMiddleware:
// clients repeat a POST as GET (RFC 9110, 15.4.2).
func appendSlash(pages map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page, ok := pages[r.URL.Path]; ok {
			page.ServeHTTP(w, r)
			return
		}
		if _, ok := pages[r.URL.Path+"/"]; ok {
			with := *r.URL
			with.Path += "/"
			w.Header().Set("Location", with.RequestURI())
			answerHTML(w, http.StatusMovedPermanently, "")
			return
		}
		answerHTML(w, http.StatusNotFound, page("Not found", "<h1>Not Found</h1>\n<p>The requested resource was not found on this server.</p>"))
	})
}
