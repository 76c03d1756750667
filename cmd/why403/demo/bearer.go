package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

type claimsKey struct{}

// caller is the verified claims of the request's token; nil outside of bearer.
func caller(r *http.Request) *claims {
	c, _ := r.Context().Value(claimsKey{}).(*claims)
	return c
}

// subject names the client of a request for the rate limiter: its API key, else its token's subject.
func subject(r *http.Request) string {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key
	}
	if c := caller(r); c != nil {
		return c.Subject
	}
	return ""
}

// bearer lets requests pass that carry an access token of id.shop.test for
// audience with scope ("" = any). It answers as RFC 6750, section 3 says: 401
// and no error code without a token, 401 invalid_token, 403 insufficient_scope.
func (s *Server) bearer(audience, scope string, next http.Handler) http.Handler {
	refuse := func(w http.ResponseWriter, status int, code, description, more string) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="shop", error="%s", error_description="%s"%s`, code, description, more))
		answerJSON(w, status, oauthError{code, description})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		field := r.Header.Get("Authorization")
		if field == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="shop"`)
			answerJSON(w, http.StatusUnauthorized, oauthError{"unauthorized", "No access token was sent"})
			return
		}
		scheme, text, ok := strings.Cut(field, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			refuse(w, http.StatusUnauthorized, "invalid_request", "Format is Authorization: Bearer [token]", "")
			return
		}
		c, wrong := s.verify(text, audience)
		if wrong != "" {
			refuse(w, http.StatusUnauthorized, "invalid_token", wrong, "")
			return
		}
		if scope != "" && !c.allows(scope) {
			refuse(w, http.StatusForbidden, "insufficient_scope", "The request requires higher privileges than provided by the access token",
				fmt.Sprintf(`, scope="%s"`, scope))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, c)))
	})
}

// verify checks the signature and then the claims. What is wrong with a token
// is a sentence for error_description; "" is a good one.
func (s *Server) verify(text, audience string) (c *claims, wrong string) {
	c = new(claims)
	_, err := jwt.ParseWithClaims(text, c, func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(s.now), jwt.WithIssuer(issuer),
		jwt.WithAudience(audience), jwt.WithExpirationRequired())
	switch {
	case err == nil:
		return c, ""
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, "The token expired at " + c.ExpiresAt.UTC().Format(time.RFC3339)
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return nil, fmt.Sprintf("The audience '%s' is invalid, expected '%s'", strings.Join(c.Audience, " "), audience)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, "The token's signature is invalid"
	}
	return nil, "The token is malformed"
}

// role lets callers pass that have one of roles. It stands inside of bearer.
func role(doing string, roles []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		has := caller(r).Roles
		if slices.ContainsFunc(has, func(h string) bool { return slices.Contains(roles, h) }) {
			next.ServeHTTP(w, r)
			return
		}
		answerJSON(w, http.StatusForbidden, struct {
			Error   string   `json:"error"`
			Message string   `json:"message"`
			Need    []string `json:"required_roles"`
		}{"missing_role", fmt.Sprintf("role %q cannot %s", strings.Join(has, " "), doing), roles})
	})
}

// owned lets callers pass whom the object {id} of the path belongs to. It stands inside of bearer.
func owned(kind string, owners map[string]string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		owner, ok := owners[id]
		if !ok {
			answerJSON(w, http.StatusNotFound, oauthError{"not_found", fmt.Sprintf("there is no %s %s", kind, id)})
			return
		}
		if sub := caller(r).Subject; sub != owner {
			answerJSON(w, http.StatusForbidden, oauthError{"not_owner", fmt.Sprintf("subject %s does not own %s %s", sub, kind, id)})
			return
		}
		next.ServeHTTP(w, r)
	})
}
