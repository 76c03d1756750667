package demo

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "https://id.shop.test"
	tokenFor = time.Hour // life of an access token
)

// An account of the shop. The passwords protect nothing: they guard a server on
// loopback whose keys are made at every start.
type account struct {
	password string
	roles    []string
	scopes   []string // what it may ask for
}

var accounts = map[string]account{
	"maria": {"tea-and-cake", []string{"customer"}, []string{"orders:read", "payments:read", "payments:write", "refunds:write", "reviews:write"}},
	"lena":  {"paper-boat", []string{"editor"}, []string{"catalog:read", "catalog:write", "payments:write"}},
	"tom":   {"green-door", []string{"viewer"}, []string{"catalog:read", "catalog:write", "payments:write"}},
}

// claims are those of an access token (RFC 9068, 2.2, with roles as a list of names).
type claims struct {
	Scope string   `json:"scope"`
	Roles []string `json:"roles"`
	jwt.RegisteredClaims
}

func (c *claims) allows(scope string) bool {
	return slices.Contains(strings.Fields(c.Scope), scope)
}

// mint signs an access token that was issued at a time, which may lie in the past:
// the client plays an app that kept its token from an earlier day.
func (s *Server) mint(user, audience, scope string, issued time.Time) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, &claims{
		Scope: scope,
		Roles: accounts[user].roles,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Subject:   user,
			Audience:  jwt.ClaimStrings{audience},
			IssuedAt:  jwt.NewNumericDate(issued),
			ExpiresAt: jwt.NewNumericDate(issued.Add(tokenFor)),
		},
	}).SignedString(s.key)
	if err != nil {
		panic(err) // HS256 with a key of bytes cannot fail
	}
	return token
}

// token is the token endpoint (RFC 6749, 4.3 and 5): a user's name and password
// for an access token with as many of the wanted scopes as the account may have.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	refuse := func(code, description string) {
		answerJSON(w, http.StatusBadRequest, oauthError{code, description})
	}
	if r.PostFormValue("grant_type") != "password" {
		refuse("unsupported_grant_type", "this server knows the grant type password")
		return
	}
	user := r.PostFormValue("username")
	a, ok := accounts[user]
	if !ok || a.password != r.PostFormValue("password") {
		refuse("invalid_grant", "wrong user name or password")
		return
	}
	var granted []string
	for _, want := range strings.Fields(r.PostFormValue("scope")) {
		if slices.Contains(a.scopes, want) {
			granted = append(granted, want)
		}
	}
	scope := strings.Join(granted, " ")
	answerJSON(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"` // seconds
		Scope       string `json:"scope"`
	}{s.mint(user, r.PostFormValue("audience"), scope, s.now()), "Bearer", int(tokenFor.Seconds()), scope})
}

type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}
