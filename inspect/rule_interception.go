package inspect

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

var interception = &Rule{
	Name: "interception", Cause: ClientFingerprint, Title: "why403 itself may be the cause", Item: 9,
	Doc: `Bot protections compare the TLS hello (JA3, JA4: https://github.com/FoxIO-LLC/ja4) with what the User-Agent claims. A proxy that reads TLS says hello in its own way: the server sees why403's fingerprint.
Where the answer is a bot protection's and the two hellos differ, the interception may be why. Where an accepted request of the same endpoint came the same way, it is not. A replay over both versions of HTTP and by curl, or a tunnel past why403, decides.`,
	Run: func(c *Case) []Finding {
		client, ours := c.Flow.Conn.ClientTLS, c.Flow.Conn.OriginTLS
		if !c.AnswerSpeaksFor(Any(BotChallenge, ClientFingerprint)) || client == nil || ours == nil || c.sameWay() {
			return nil
		}
		var f Finding
		switch {
		case client.JA4 == "" || ours.JA4 == "":
			return nil
		case client.JA4 != ours.JA4:
			f = because("a bot protection refused, and it saw why403's TLS hello (JA4 %s) instead of the client's (%s): why403 itself may be the cause", ours.JA4, client.JA4).
				Quote(inTLS(client.JA4)).Quote(inTLS(ours.JA4))
		case c.alterations() != nil:
			f = because("a bot protection refused, and why403 changed the request on the way (%s): why403 itself may be the cause", clip(strings.Join(c.alterations(), "; "), 120)).
				Quote(inTLS(ours.JA4))
		default:
			return nil
		}
		return f.Titled("refused for the interception?").On(ByHabit).
			Then("Find out with --is-it-me of why403 pinpoint (m on the screen), or pass the host through untouched with --tunnel %s", hostOnly(c.Flow.Authority)).Possible()
	},
}

var clientCertificate = &Rule{
	Name: "client-cert-required", Cause: ClientCertRequired, Title: "the server asked for a client certificate and got none", Item: 4,
	Doc: `A server asks for a client certificate in the TLS handshake (RFC 8446, 4.3.2) and may go on without one, to refuse the request later: nginx with ssl_verify_client optional, Apache with SSLVerifyClient optional, IIS (403.7), API gateways with mutual TLS.
A certificate that the client itself has cannot pass through a proxy that reads TLS, for its key stays with the client: why403 has to be given it (--client-cert), or the host be tunnelled.`,
	Run: func(c *Case) []Finding {
		ours := c.Flow.Conn.OriginTLS
		if ours == nil || !ours.Wanted || ours.Presented != "" || c.AnswerSpeaksFor(Not(ClientCertRequired, ClientCertInvalid)) {
			return nil
		}
		for g := range c.accepted() {
			if t := g.Conn.OriginTLS; g.Authority == c.Flow.Authority && t != nil && t.Wanted && t.Presented == "" {
				return nil // it asks everybody, and lets others in without
			}
		}
		f := because("the server asked for a client certificate in the TLS handshake and got none; one that the client has does not pass through why403").On(ByComputation).
			Quote(inTLS(noneGiven)).
			Then("Give why403 the certificate with --client-cert %s=FILE, or pass the host through untouched with --tunnel %[1]s", hostOnly(c.Flow.Authority))
		if c.AnswerSpeaksFor(Any(ClientCertRequired)) {
			return f.Likely()
		}
		return f.Possible()
	},
}

// sameWay reports whether the accepted request came through why403 in the same
// way: by a client with the same hello, to which nothing more or less was done.
func (c *Case) sameWay() bool {
	if c.Success == nil {
		return false
	}
	a, b := &c.Flow.Conn, &c.Success.Conn
	return b.ClientTLS != nil && b.OriginTLS != nil && a.ClientTLS.JA4 == b.ClientTLS.JA4 && a.OriginTLS.JA4 == b.OriginTLS.JA4 && c.alterations() == nil
}

// alterations is what why403 did to the refused request and did not do to the
// accepted one; nil: nothing that could be why.
func (c *Case) alterations() []string {
	var list []string
	if c.Flow.Fidelity.Request == flow.Differs {
		list = append(list, "by a fault of why403 the bytes that left are not those that came")
	}
	for _, a := range c.Flow.Altered {
		if !(c.Success != nil && slices.Contains(c.Success.Altered, a)) && !slices.ContainsFunc(harmless, func(h string) bool { return strings.HasPrefix(a, h) }) && !justHeld(a) {
			list = append(list, a)
		}
	}
	return list
}

// harmless is how alterations begin that no server can see in the request.
var harmless = []string{"left out an empty line", "sent the request again", "passed on whole", "the answer was passed on whole"}

// justHeld reports whether a request or answer was held and then went on as it was (hold.Decision.Words).
func justHeld(a string) bool {
	return strings.HasPrefix(a, "did not hold ") || strings.HasPrefix(a, "held ") && !strings.Contains(a, ", then you dropped it") && !strings.Contains(a, " as you edited it")
}

// interference says what why403 did to the request, for a verdict that knows no other reason; "" if it did nothing.
func (c *Case) interference() string {
	if list := c.alterations(); list != nil {
		return "why403 itself may be the cause, for the request was changed on the way (" + clip(strings.Join(list, "; "), 160) + ")"
	}
	return ""
}

const noneGiven = "a client certificate was asked for and none given"

// inTLS quotes what is known of the two TLS connections.
func inTLS(quote string) Evidence { return Evidence{Where: "tls", Quote: quote} }

// TLSLine is what evidence of the kind "tls" quotes: the TLS connections of a flow, the client's first.
func TLSLine(f *flow.Flow) string {
	var b strings.Builder
	for _, side := range []struct {
		who string
		t   *flow.TLS
	}{{"client", f.Conn.ClientTLS}, {"server", f.Conn.OriginTLS}} {
		if side.t == nil {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(side.who + ": " + side.t.Version)
		for _, p := range [][2]string{{"SNI", side.t.ServerName}, {"ALPN", side.t.ALPN}, {"JA4", side.t.JA4}, {"certificate of", side.t.Subject}, {"valid for", strings.Join(side.t.SANs, " ")}} {
			if p[1] != "" {
				b.WriteString(", " + p[0] + " " + p[1])
			}
		}
		if side.t.Wanted {
			given := noneGiven
			if side.t.Presented != "" {
				given = "a client certificate was asked for and given: " + side.t.Presented
			}
			b.WriteString(", " + given)
		}
	}
	return b.String()
}
