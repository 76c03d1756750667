package inspect

import (
	"strings"

	"github.com/why403/why403/flow"
)

var protocolVersion = &Rule{
	Name: "protocol-version", Cause: ProtocolVersion, Title: "the only thing that differs is the protocol version", Item: 1,
	Doc: `Servers and bot guards treat HTTP/1.0, HTTP/1.1 and HTTP/2 differently: Envoy and others refuse HTTP/1.0, some sites only serve browsers' HTTP/2. Where the accepted request differs in nothing else, the version decides.`,
	Run: func(c *Case) []Finding {
		mine, theirs := c.req().Proto, c.okReq().Proto
		if c.Success == nil || mine == theirs || mine == "" || theirs == "" || c.AnswerSpeaksFor(Not(ProtocolVersion)) || c.othersDiffer() {
			return nil
		}
		return because("the request came over %s; the accepted one (#%d) over %s, and nothing else differs", mine, c.Success.ID, theirs).Quote(Evidence{Where: "diff", Quote: theirs}).
			Then("Send the request over %s", theirs).Possible()
	},
}

// addressFields are where proxies tell the address of the client.
var addressFields = []string{"X-Forwarded-For", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "Forwarded", "X-Originating-IP"}

var addressChanged = &Rule{
	Name: "ip-denied", Cause: IPDenied, Title: "the same request from another address", Item: 10,
	Doc: `Allow lists and reputation go by the client's address, or by the one that a proxy tells (X-Forwarded-For, X-Real-IP, True-Client-IP). Where the accepted request differs in nothing else, the address decides: a VPN, another network, a proxy in between.`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(IPDenied, GeoBlocked)) || c.othersDifferHeader(addressFields...) {
			return nil
		}
		for _, n := range addressFields {
			v, ok := c.req().Header.Lookup(n)
			if good := c.okReq().Header.Get(n); ok && good != v {
				f := because("%s is %s; the accepted request #%d had %s, and nothing else differs", n, clip(v, 60), c.Success.ID, orNone(clip(good, 60))).Quote(Evidence{Where: "request.header:" + n, Quote: v})
				if good != "" {
					f = f.With("send the accepted "+n, setHeader(c.req(), n, good))
				}
				return f.Likely()
			}
		}
		if a, b := host(c.Flow.Conn.Client), host(c.Success.Conn.Client); a != "" && b != "" && a != b && strings.Trim(a, "[]") != "::1" && !strings.HasPrefix(a, "127.") {
			return because("the client's address is %s; that of the accepted request #%d was %s, and nothing else differs", a, c.Success.ID, b).On(ByHabit).Possible()
		}
		return nil
	},
}

var bodyTooLarge = &Rule{
	Name: "body-too-large", Cause: BodyTooLarge, Title: "the body is far larger than the accepted one", Item: 6,
	Doc: `Limits: nginx client_max_body_size 1 MB, Apache LimitRequestBody, IIS 28.6 MB, CloudFront and AWS WAF (8 KB to 64 KB of a body are inspected, longer ones may be blocked), Cloudflare 100 MB, API Gateway 10 MB. Some answer 403 instead of 413.`,
	Run: func(c *Case) []Finding {
		n, ok := c.req().Body.Size, c.okReq().Body.Size
		if c.Success == nil || n < 64<<10 || ok == 0 || n < 4*ok || c.AnswerSpeaksFor(Not(BodyTooLarge)) || c.othersDiffer(flow.InBody, flow.InJSON, flow.InForm, flow.InMultipart) {
			return nil
		}
		return because("the body has %d bytes; the accepted request #%d had %d, and nothing else differs", n, c.Success.ID, ok).Quote(Evidence{Where: "request.header:Content-Length", Quote: c.header("Content-Length")}).Possible()
	},
}
