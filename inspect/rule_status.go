package inspect

import (
	"strconv"
	"strings"
)

var statusMeaning = &Rule{
	Name: "status", Title: "the status itself says why", Item: 1, Reads: true,
	Doc: `Some statuses name their cause: 405 method (RFC 9110, 15.5.6), 406 Accept (15.5.7), 407 proxy credentials (15.5.8), 413 content too large (15.5.14), 415 media type (15.5.16), 421 misdirected (15.5.20),
426 protocol (15.5.22), 423 with its precondition code (RFC 4918, 16), 425 early data (RFC 8470, 5.2), 428 condition (RFC 6585, 3), 429 rate (RFC 6585, 4), 431 header fields too large (RFC 6585, 5), 451 legal (RFC 7725, 3). 401 and 403 do not: they say that, not why.`,
	Run: func(c *Case) []Finding {
		m := c.resp()
		q := Evidence{Where: "response.status", Quote: strconv.Itoa(m.Status)}
		switch m.Status {
		case 401:
			if len(c.credentials(c.Flow)) == 0 {
				if login, ok := c.password(); ok {
					return because("the server does not accept the password of the body (401)").Of(WrongCredentials).On(ByCode).Quote(q).Quote(login).Likely()
				}
				f := because("no credential was sent and the server asks who you are (401)").Of(MissingToken)
				if good := c.credentials(c.Success); len(good) > 0 && good[0].kind == apiKey {
					f = f.Of(MissingAPIKey)
				}
				return c.withCredentialOf(f.On(BySentence).Quote(q)).Likely()
			}
			f := because("the server does not accept the credential (401)").Of(InvalidToken).On(ByCode).Quote(q)
			switch cr := c.credentials(c.Flow)[0]; {
			case cr.kind == apiKey:
				f = f.Of(InvalidAPIKey)
			case cr.kind == authHeader && strings.EqualFold(cr.scheme, "basic"):
				f = f.Of(WrongCredentials)
			}
			return f.Possible()
		case 405:
			f := because("%s is not allowed here", c.req().Method).Of(WrongMethod).On(ByCode).Quote(q)
			if allow := m.Header.Get("Allow"); allow != "" {
				f.Summary += "; the server allows " + clip(allow, 60)
				f = f.Quote(Evidence{Where: "response.header:Allow", Quote: allow})
				for a := range m.Header.Tokens("Allow") {
					if a != "OPTIONS" && a != "HEAD" && unsafeMethod(a) == c.unsafe() && a != c.req().Method {
						f = f.With("send "+a, methodChange(c.req().Method, a))
						break
					}
				}
			}
			return f.Likely()
		case 406:
			if !c.narrowAccept() {
				return nil
			}
			return because("the server has nothing of the types that Accept names: %s", clip(c.header("Accept"), 60)).Of(UnsupportedHeader).On(ByCode).Quote(q).Quote(Evidence{Where: "request.header:Accept", Quote: c.header("Accept")}).
				Then("Send an Accept that the server can serve, or */*").Possible()
		case 407:
			f := because("a proxy on the way wants credentials").Of(ProxyAuthRequired).At(layerNetworkProxy).On(ByCode).Quote(q)
			if up := c.Flow.Conn.Upstream; up != "" {
				f = f.Then("Have the client log in, for the proxy after why403 (%s) wants that and why403 passes it on; or give why403 the login: --upstream with user:password in its URL", clip(up, 80))
			}
			return f.Certain()
		case 413:
			return because("the body of %d bytes is more than the server takes", c.req().Body.Size).Of(BodyTooLarge).On(ByCode).Quote(q).Certain()
		case 415:
			return because("the server does not take the media type %s", clip(orNone(c.header("Content-Type")), 60)).Of(ContentTypeMismatch).On(ByCode).Quote(q).Quote(Evidence{Where: "request.header:Content-Type", Quote: c.header("Content-Type")}).Certain()
		case 419:
			return because("the session or its CSRF token has expired or is missing (419)").Of(CSRFMismatch).On(ByCode).Quote(q).Likely()
		case 421:
			return because("this server does not answer for %s", c.Flow.Authority).Of(HostMismatch).On(ByCode).Quote(q).Certain()
		case 426:
			return because("the server wants another protocol version").Of(ProtocolVersion).On(ByCode).Quote(q).Likely()
		case 423:
			e, ok := c.lockNamed()
			if !ok {
				return nil
			}
			return because("the resource, or one that it would change, is locked (423)").Of(StateRestriction).On(ByCode).Quote(q).Quote(e).
				Then("Send the lock's token in If, or wait until its owner unlocks it (RFC 4918, 9.10 and 10.4)").Certain()
		case 425:
			return because("the server does not take it in the early data of TLS, where it could be replayed (425)").Of(StateRestriction).On(ByCode).Quote(q).
				Then("Send it again when the handshake is over, not in early data; a proxy that added Early-Data: 1 should do so").Likely()
		case 428:
			return because("the server wants the change to be conditional (428)").Of(MissingHeader).On(ByCode).Quote(q).
				Then("Read the object, and send its ETag in If-Match (or its Last-Modified in If-Unmodified-Since)").Likely()
		case 429:
			f := because("too many requests").Of(RateLimit).On(ByCode).Quote(q)
			if ra := m.Header.Get("Retry-After"); ra != "" {
				f = f.Quote(Evidence{Where: "response.header:Retry-After", Quote: ra}).Then("Wait as Retry-After says (%s), then send more slowly", clip(ra, 40))
			}
			return f.Likely()
		case 431:
			return because("the request's header fields are too large: %d bytes", c.req().Header.Size()).Of(UnsupportedHeader).On(ByCode).Quote(q).Likely()
		case 451:
			return because("the server names a legal demand").Of(LegalBlock).On(ByCode).Quote(q).Certain()
		}
		return nil
	},
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// lockNamed is WebDAV's code for a lock in the way of the request (RFC 4918, 16).
func (c *Case) lockNamed() (Evidence, bool) {
	for _, code := range []string{"lock-token-submitted", "no-conflicting-lock"} {
		if i := strings.Index(c.said().body, code); i >= 0 {
			return Evidence{Where: "response.body", Quote: code, Offset: i}, true
		}
	}
	return Evidence{}, false
}
