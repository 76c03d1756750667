package inspect

import (
	"regexp"
	"strings"
)

var challenge = &Rule{
	Name: "challenge", Title: "the WWW-Authenticate challenge says why", Item: 4, Reads: true,
	Doc: `A 401 must say in WWW-Authenticate what it wants (RFC 9110, 11.6.1). For bearer tokens the "error" parameter is a code: invalid_token, insufficient_scope,
invalid_request (RFC 6750, 3.1), insufficient_user_authentication (RFC 9470, 3). 401 asks "who are you?"; 403 says "I know, and no".`,
	Run: func(c *Case) []Finding {
		v, ok := c.resp().Header.Lookup("WWW-Authenticate")
		if !ok {
			return nil
		}
		where := Evidence{Where: "response.header:WWW-Authenticate", Quote: v}
		if i := c.resp().Header.Index("WWW-Authenticate", 0); i >= 0 {
			where.Where = "response.header:" + c.resp().Header[i].Name
		}
		scheme, _, _ := strings.Cut(v, " ")
		sent := len(c.credentials(c.Flow)) > 0
		code, _ := challengeParam(v, "error")
		switch code {
		case "insufficient_scope":
			f := because("the token is valid but lacks a scope").Of(InsufficientScope).On(ByCode).Quote(where)
			if s, ok := challengeParam(v, "scope"); ok && s != "" {
				f.Summary += ": wanted is " + clip(s, 120)
				f = f.Then("Request a token with the scope %s", clip(s, 120))
			}
			if mine, theirs := c.auth(c.Flow), c.auth(c.Success); mine != nil && theirs != nil && mine.value != theirs.value {
				f = f.With("send the Authorization of the accepted request", setHeader(c.req(), mine.field, theirs.value))
			}
			return f.Certain()
		case "insufficient_user_authentication":
			return because("the server wants a stronger or fresher sign-in").Of(StepUpRequired).On(ByCode).Quote(where).Certain()
		case "invalid_token":
			return because("the server calls the token invalid").Of(InvalidToken).On(ByCode).Quote(where).Likely()
		case "invalid_request":
			if !sent {
				return because("the server found no credential in the request").Of(MissingToken).On(ByCode).Quote(where).Likely()
			}
			return because("the server could not read the credential").Of(MalformedToken).On(ByCode).Quote(where).Likely()
		}
		if c.resp().Status != 401 {
			return nil
		}
		if c.auth(c.Flow) == nil && !sent {
			if q, ok := c.password(); ok {
				return because("the server did not accept the password of the body").Of(WrongCredentials).On(ByCode).Quote(where).Quote(q).Likely()
			}
			f := because("the server wants %s credentials and none were sent", scheme).Of(MissingToken).On(ByCode).Quote(where)
			if k, ok := c.acceptedKey(); ok {
				// Libraries challenge with their default scheme, whatever the server takes.
				f.Summary += "; the accepted request #" + itoa(int(c.Success.ID)) + " carried " + k.field
				return c.withCredentialOf(f.Of(MissingAPIKey).Quote(Evidence{Where: "diff", Quote: k.value})).Likely()
			}
			return c.withCredentialOf(f).Certain()
		}
		if a := c.auth(c.Flow); a != nil && strings.EqualFold(a.scheme, "Basic") && strings.EqualFold(scheme, "Basic") {
			return because("the server did not accept this user and password").Of(WrongCredentials).On(ByCode).Quote(where).Likely()
		}
		if a := c.auth(c.Flow); a != nil && !strings.EqualFold(a.scheme, scheme) && a.scheme != "" {
			return because("the request came with %s, the server wants %s", clip(a.scheme, 20), scheme).Of(InvalidToken).On(ByCode).Quote(where).Possible()
		}
		return nil
	},
}

// withCredentialOf offers the credential of the accepted request.
func (c *Case) withCredentialOf(f Finding) Finding {
	if f.Fix != nil {
		return f
	}
	if a := c.auth(c.Success); a != nil {
		return f.With("send the Authorization of the accepted request", setHeader(c.req(), a.field, a.value))
	}
	for _, cr := range c.credentials(c.Success) {
		if cr.kind == apiKey && strings.HasPrefix(cr.where, "request.header:") {
			return f.With("send the key of the accepted request", setHeader(c.req(), cr.field, cr.value))
		}
		if cr.kind == session {
			return f.With("send the cookies of the accepted request", setHeader(c.req(), "Cookie", c.okReq().Header.Get("Cookie")))
		}
	}
	return f
}

// acceptedKey is the API key in a header that the accepted request carried, where that was its only credential.
func (c *Case) acceptedKey() (credential, bool) {
	if c.Success == nil {
		return credential{}, false
	}
	crs := c.credentials(c.Success)
	if len(crs) != 1 || crs[0].kind != apiKey || !strings.HasPrefix(crs[0].where, "request.header:") || strings.EqualFold(crs[0].field, "Authorization") {
		return credential{}, false
	}
	return crs[0], true
}

var passwordField = regexp.MustCompile(`(?i)"(password|passwd|passcode)"\s*:\s*["{]|(?:^|&)(password|passwd|passcode)=[^&]`)

// password is the field of the body that a sign-in carries its password in.
// The evidence names the field alone.
func (c *Case) password() (Evidence, bool) {
	if c.req().Method != "POST" {
		return Evidence{}, false
	}
	m := passwordField.FindSubmatch(c.req().Body.Data)
	if m == nil {
		return Evidence{}, false
	}
	return Evidence{Where: "request.body", Quote: string(m[1]) + string(m[2])}, true
}
