package inspect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/vendors"
)

// answerer is the component that made the answer, as far as the answer shows.
type answerer struct {
	layer    Name
	id       string // vendor
	name     string // for people
	vendor   *vendors.Vendor
	evidence []Evidence
	// generic is true where the answer's form alone says it: a JSON error of some application.
	generic bool
}

// whoAnswered attributes the answer: to the product whose decision is in it, to
// the one whose page or marks it carries, or by its form to some application.
func (c *Case) whoAnswered() answerer {
	if c.facts.front == nil {
		who := c.attribute()
		c.facts.front = &who
	}
	return *c.facts.front
}

func (c *Case) attribute() answerer {
	who := c.attributed()
	if c.req().Method == "CONNECT" && who.layer != layerCDN {
		who.layer = layerNetworkProxy // a tunnel is asked of a proxy
	}
	return who
}

func (c *Case) attributed() answerer {
	for _, h := range c.hits() {
		if h.Logged || h.Elsewhere || h.Anybody || h.Reported {
			continue
		}
		return fromHit(h)
	}
	answerers := vendors.Answerers(c.exchange())
	// A product built on another shows the other's marks too: who asks for more is the more exact.
	slices.SortStableFunc(answerers, func(a, b vendors.Hit) int { return cmp.Compare(len(b.Conds), len(a.Conds)) })
	for _, h := range answerers {
		if !c.alsoWhenAccepted(h.Quotes) || h.Basis == "code" {
			return fromHit(h)
		}
	}
	if who, ok := c.frontAnswered(); ok {
		return who
	}
	a := c.said()
	if v := vendors.AtHost(c.Flow.Authority); v != nil && a.json != nil {
		// The host is the service's own, and its answers are documents.
		return answerer{layer: Name(v.Layer), id: v.ID, name: v.Name, vendor: v, evidence: []Evidence{{Where: "request.url", Quote: c.Flow.Authority, Offset: max(0, strings.Index(c.Flow.URL(), c.Flow.Authority))}}}
	}
	if a.json != nil || c.resp().Header.Has("X-Powered-By") {
		return answerer{layer: layerApp, generic: true}
	}
	return answerer{}
}

// frontAnswered attributes by difference: accepted answers of this host carry a
// second Server field (the origin's, passed on) and this one only the front's.
func (c *Case) frontAnswered() (answerer, bool) {
	mine := servers(c.resp())
	if len(mine) != 1 {
		return answerer{}, false
	}
	n := 0
	for g := range c.accepted() {
		if g.Authority != c.Flow.Authority || g.Response == nil {
			continue
		}
		if n++; n > 20 {
			break
		}
		theirs := servers(g.Response)
		if len(theirs) < 2 || !slices.Contains(theirs, mine[0]) {
			continue
		}
		if v := vendors.OfServer(mine[0]); v != nil {
			i := c.resp().Header.Index("Server", 0)
			return answerer{layer: Name(v.Layer), id: v.ID, name: v.Name, vendor: v, evidence: []Evidence{{Where: "response.header:" + c.resp().Header[i].Name, Quote: mine[0]}}}, true
		}
	}
	return answerer{}, false
}

func servers(m *flow.Message) []string {
	return slices.Collect(m.Header.Values("Server"))
}

func fromHit(h vendors.Hit) answerer {
	who := answerer{layer: Name(h.Vendor.Layer), id: h.Vendor.ID, name: h.Vendor.Name, vendor: h.Vendor}
	if h.Layer != "" {
		who.layer = Name(h.Layer)
	}
	for _, q := range h.Quotes {
		who.evidence = append(who.evidence, Evidence(q))
	}
	return who
}

// aiPaths are the paths of the APIs that language models are called by.
var aiPaths = []string{"/chat/completions", "/v1/completions", "/v1/messages", "/v1/embeddings", "/v1/responses", "/images/generations", "/audio/transcriptions", "/audio/speech",
	":generatecontent", ":streamgeneratecontent", "/openai/deployments/", "/api/generate", "/api/chat", "/v1/rerank", "/invoke-model", "/v1/models"}

func (c *Case) aiRequest() bool {
	p := strings.ToLower(c.Flow.Path())
	for _, s := range aiPaths {
		if strings.Contains(p, s) {
			return true
		}
	}
	return false
}

// aiCauses are refusals that the front of a model makes, not the application behind.
var aiCauses = Any(ModelAccess, QuotaExhausted, ContentPolicy, RateLimit, InvalidAPIKey, MissingAPIKey, Subscription, APIKeyRestricted, GeoBlocked)

// layerOf is where a finding without a layer of its own belongs.
func (c *Case) layerOf(f Finding, who answerer) Name {
	if who.id != "" {
		return who.layer
	}
	if c.aiRequest() && aiCauses(f.Cause) {
		return layerAIGateway
	}
	if info := causeByID[f.Cause]; info != nil && info.Layer != "" && !f.requestFault() {
		return info.Layer
	}
	if !f.Speaks && f.requestFault() {
		return layerClient // a defect that the request itself shows, and nobody in particular answered
	}
	if f.Cause == UnknownCause && who.generic {
		return "" // a JSON error alone does not show whose it is
	}
	if who.layer != "" {
		return who.layer
	}
	if f.Speaks && f.Cause != UnknownCause {
		return layerApp
	}
	return ""
}

// requestFault reports whether the cause is a mistake in the request itself.
func (f Finding) requestFault() bool { return requestFaults(f.Cause) }

var requestFaults = Any(WrongMethod, WrongPath, TrailingSlash, WrongScheme, HostMismatch, ContentTypeMismatch, MalformedBody, SchemaViolation, BodyTooLarge, MissingHeader, DuplicateHeader,
	UnsupportedHeader, HeaderStripped, MissingToken, MalformedToken, ExpiredToken, NotYetValidToken, WrongAudience, InvalidToken, MissingAPIKey, InvalidAPIKey, SignatureMismatch, ClockSkew, CSRFMissing, CSRFMismatch, OriginMismatch, StaleCookie, UserAgentRefused)
