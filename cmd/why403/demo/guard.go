package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// jsonOnly refuses other types than JSON, as Spring's message converters do:
// 415 with the acceptable type in Accept (RFC 9110, 15.5.16) and a problem (RFC 9457).
func jsonOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get("Content-Type")
		if kind, _, err := mime.ParseMediaType(sent); err == nil && kind == "application/json" {
			next.ServeHTTP(w, r)
			return
		}
		said := "Content-Type '" + sent + "' is not supported."
		if sent == "" {
			said = "Content-Type is missing."
		}
		w.Header().Set("Accept", "application/json")
		problem(w, r, http.StatusUnsupportedMediaType, said)
	})
}

func problem(w http.ResponseWriter, r *http.Request, status int, said string) {
	answerAs(w, status, "application/problem+json", struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance"`
	}{"about:blank", http.StatusText(status), status, said, r.URL.Path})
}

// wellFormed refuses bodies that are not JSON before they reach the application,
// as gateways with a threat protection policy do: with 403.
func wellFormed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var v any
			err = json.Unmarshal(body, &v)
		}
		if err != nil {
			answerJSON(w, http.StatusForbidden, struct {
				Error   string `json:"error"`
				Policy  string `json:"policy"`
				Message string `json:"message"`
			}{"malformed_body", "json-threat-protection", "The request body is not valid JSON: " + err.Error()})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// needs refuses requests without a header field.
func needs(field string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(field) == "" {
			answerJSON(w, http.StatusForbidden, oauthError{"missing_header", fmt.Sprintf("Required request header '%s' is not present", field)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin is Go's own protection against cross-origin requests
// (net/http.CrossOriginProtection), which trusts the shop's pages.
func sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	for _, origin := range trustedOrigins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic(err) // a constant of this package
		}
	}
	return p.Handler(next)
}

// knownOnly refuses what no route of mux matches, as a Spring Security chain
// that ends in denyAll does: an unknown URL is 403, not 404. A slash more is an unknown URL.
func knownOnly(mux *http.ServeMux, clock func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := mux.Handler(r); known != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answerJSON(w, http.StatusForbidden, struct {
			Timestamp string `json:"timestamp"`
			Status    int    `json:"status"`
			Error     string `json:"error"`
			Path      string `json:"path"`
		}{clock(), http.StatusForbidden, "Forbidden", r.URL.Path})
	})
}
