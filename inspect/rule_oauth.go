package inspect

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

var oauthSays = &Rule{
	Name: "oauth", Title: "the token endpoint says why, with a code of OAuth", Item: 4, Reads: true,
	Doc: `Token endpoints refuse with 400 or 401 and a code (RFC 6749, 5.2; device flow: RFC 8628, 3.5; DPoP: RFC 9449, 5 and 8; OpenID Connect Core 1.0, 3.1.2.6). "invalid_grant" means the password, the code or the refresh token, by the grant_type of the request:
a code works once and for the redirect_uri that it was issued for, a refresh token may have expired, been revoked or been replaced by the next one. "authorization_pending" is no refusal.`,
	Run: func(c *Case) []Finding {
		code, ok := c.oauthError()
		if !ok {
			return nil
		}
		q, _ := rawJSON(c.said().body, code)
		f := because("the token endpoint answers %s", code).On(ByCode).Quote(q)
		switch code {
		case "invalid_client":
			return f.Of(WrongCredentials).Titled("wrong client id or secret").Then("Compare client_id and client_secret (or the client's key) with those registered here, and how they are sent: by Basic or in the body").Likely()
		case "invalid_grant":
			return c.invalidGrant(f)
		case "unauthorized_client":
			return f.Of(PolicyDeny).Then("Allow this grant type to the client").Likely()
		case "unsupported_grant_type":
			return f.Of(FeatureDisabled).Likely()
		case "invalid_scope":
			return f.Of(InsufficientScope).Then("Ask for scopes only that the client may have; without scope most servers give the client's own").Likely()
		case "invalid_target":
			return f.Of(WrongAudience).Likely()
		case "access_denied":
			return f.Of(PolicyDeny).Likely()
		case "consent_required":
			return f.Of(InsufficientScope).Then("Have the user, or an administrator, consent to the client's scopes").Likely()
		case "interaction_required", "mfa_required", "account_selection_required":
			return f.Of(StepUpRequired).Likely()
		case "login_required":
			return f.Of(MissingToken).Likely()
		case "expired_token":
			return f.Of(ExpiredToken).Certain()
		case "slow_down":
			return f.Of(RateLimit).Then("Poll 5 seconds less often than before").Certain()
		case "use_dpop_nonce":
			return f.Of(MissingHeader).Then("Repeat the request with the nonce of DPoP-Nonce in the proof").Certain()
		case "invalid_dpop_proof":
			return f.Of(SignatureMismatch).Likely()
		}
		return nil
	},
}

// invalidGrant says what was granted: by the request's grant_type.
func (c *Case) invalidGrant(f Finding) []Finding {
	switch g := c.grantType(); g {
	case "":
		return f.Of(InvalidToken).Possible()
	case "password":
		return f.Of(WrongCredentials).Likely()
	case "refresh_token":
		f.Summary += ": the refresh token has expired, was revoked or replaced, or is another client's"
		return f.Of(InvalidToken).Then("Have the user log in again; keep the refresh token of the newest answer, older ones end with it where the server rotates them").Likely()
	case "authorization_code":
		f.Summary += ": the code was used before, has expired, or redirect_uri or code_verifier are not those it was issued for"
		return f.Of(InvalidToken).Then("Use each code once, at once, with the redirect_uri and code_verifier of its own authorization request").Likely()
	case "client_credentials":
		return f.Of(WrongCredentials).Possible()
	default:
		f.Summary += ": the assertion or token of " + clip(g, 80) + " is not accepted"
		return f.Of(InvalidToken).Likely()
	}
}

// oauthCodes are the codes that refuse; those that others use as well count
// only from a token endpoint.
var oauthCodes = map[string]bool{"invalid_client": true, "invalid_grant": true, "unauthorized_client": true, "unsupported_grant_type": true, "use_dpop_nonce": true, "invalid_dpop_proof": true,
	"invalid_scope": false, "invalid_target": false, "access_denied": false, "consent_required": false, "interaction_required": false, "mfa_required": false, "account_selection_required": false, "login_required": false, "expired_token": false, "slow_down": false}

// oauthError is the code of an answer that refuses a request to a token endpoint.
func (c *Case) oauthError() (string, bool) {
	switch c.resp().Status {
	case 400, 401, 403:
	default:
		return "", false
	}
	doc, ok := c.said().json.(map[string]any)
	if !ok {
		return "", false
	}
	code, _ := doc["error"].(string)
	own, known := oauthCodes[code]
	return code, known && (own || c.grantType() != "" || strings.HasSuffix(strings.TrimSuffix(c.Flow.Path(), "/"), "/token"))
}

// grantType is what the request asks a token for, "" where it is no token request.
func (c *Case) grantType() string {
	q := c.req()
	if q.Method != "POST" || !bytes.Contains(q.Body.Data, []byte("grant_type")) {
		return ""
	}
	if bytes.HasPrefix(bytes.TrimSpace(q.Body.Data), []byte("{")) {
		var in struct {
			GrantType string `json:"grant_type"`
		}
		_ = json.Unmarshal(q.Body.Data, &in)
		return in.GrantType
	}
	form, _ := url.ParseQuery(string(q.Body.Data))
	return form.Get("grant_type")
}
