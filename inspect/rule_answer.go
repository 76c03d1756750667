package inspect

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/why403/why403/flow"
)

var answerSays = &Rule{
	Name: "answer", Title: "the answer says why, in words or with a code", Item: 18, Reads: true,
	Doc: `Applications put the reason into the body: an error document (RFC 9457 "type", "title", "detail"; RFC 6749 "error", "error_description"; GraphQL "errors"; gRPC "grpc-message"),
a short text, or a page. The words are read in a normal form, so that TOKEN_EXPIRED, tokenExpired and "Token expired." are one. A bare "Forbidden" says nothing.`,
	Run: func(c *Case) []Finding { return lexiconFindings(c, true) },
}

// lexiconFindings reads every phrase of the answer; at most one finding a cause.
// soften asks for what the request shows to be taken into account.
func lexiconFindings(c *Case, soften bool) []Finding {
	var fs []Finding
	seen := map[Name]bool{}
	if soften && c.boilerplate() {
		return nil
	}
	decided := soften && c.decided()
	limit := maxPhrases
	if c.said().isHTML {
		limit = 60 // what a page has to say stands in its first lines
	}
	for i, p := range c.said().phrases {
		if i >= limit {
			break
		}
		if m := namesPage.FindStringIndex(p.text); m != nil {
			p.text = p.text[:m[0]]
			p.words = words(p.text)
		}
		f, ok := c.readPhrase(p, false)
		if !ok || seen[f.Cause] {
			continue
		}
		seen[f.Cause] = true
		if other, ok := c.oneOfSeveral(p, &f); ok {
			fs = append(fs, other)
		}
		if c.amongReasons(p.key, p.quote) || reasonListed(p.text) {
			f.Confidence, f.Basis, f.Speaks = min(f.Confidence, flow.Possible), ByHabit, false
		}
		if decided {
			f.Confidence = min(f.Confidence, flow.Possible) // the product's own code or sentence says it better
		}
		fs = append(fs, f)
	}
	if soften {
		if code, ok := graphQLDenial(c.said()); ok && len(fs) == 0 {
			fs = append(fs, c.codeFinding(code))
		}
		if f, ok := c.grpcFinding(len(fs) > 0); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// reasonList heads a list of what a refusal may come from: it holds for every
// refusal of the server, and its entries say nothing of this one.
var reasonList = regexp.MustCompile(`(?i)\b(possible|potential|common|likely|some) (reasons?|causes?|explanations?)\b|\b(one|any|some) of (the following|these) (\w+ )?(reasons|causes|problems)\b|\b(may|might|could|can) (happen|occur|be caused|be because|be due to)[^<.]{0,40}:`)

// amongReasons reports whether what is quoted of the body stands in such a list.
func (c *Case) amongReasons(key string, e Evidence) bool {
	if e.Where != "response.body" {
		return false
	}
	if key != "" && reasonList.MatchString(words(key)) {
		return true
	}
	head := reasonList.FindStringIndex(c.said().body[:min(len(c.said().body), 64<<10)])
	if head == nil || e.Offset < head[0] {
		return false
	}
	return c.said().json == nil || !strings.Contains(c.said().body[head[0]:e.Offset], `"`) // of JSON: in the same string
}

// reasonListed reports whether text is such a list and nothing before it.
func reasonListed(text string) bool {
	head := reasonList.FindStringIndex(text)
	return head != nil && firstSense(words(text[:head[0]]), false) < 0
}

// pageOn ends before the name of what a page is about: the page is a help, its subject no reason.
var pageOn = regexp.MustCompile(pageNamed + `$`)

const pageNamed = `(?i)\b(help page|help article|faq|guide|docs|documentation|troubleshooting page)\b[^.!?:;<>"{}\n]{0,30}\b(on|about|for|regarding) (the )?`

var namesPage = regexp.MustCompile(pageNamed)

// subjectOfPage reports whether what is quoted of the body is what a page is about that the answer names.
func (c *Case) subjectOfPage(e Evidence) bool {
	b := c.said().body
	return e.Where == "response.body" && e.Offset <= len(b) && pageOn.MatchString(b[max(0, e.Offset-100):e.Offset])
}

// readPhrase finds the first sense that the words of p have.
func (c *Case) readPhrase(p phrase, logLine bool) (Finding, bool) {
	if len(p.words) < 3 || saysNothing[p.words] {
		return Finding{}, false
	}
	i := senses.first(p.words, logLine)
	if i < 0 {
		return Finding{}, false
	}
	s := &lexicon[i]
	says := "the answer says: " + clip(p.text, 160)
	if !strings.ContainsAny(p.text, " \t\n") { // a code: its words beside it
		says = titleOf(s.cause) + ", " + says
	}
	f := because("%s", says).Of(s.cause).On(BySentence).Quote(p.quote)
	f.Confidence = s.conf
	if info := causeByID[s.cause]; info != nil && (info.Layer == layerDatabase || info.Layer == layerFilesystem) {
		f.Layer = info.Layer // quoted by whoever answered, said by these
	}
	if !logLine && c.said().isHTML && courtesy.MatchString(p.words) {
		return Finding{}, false
	}
	c.inContext(&f)
	if !logLine && c.said().json != nil {
		switch {
		case quotedPage.MatchString(p.text):
			f.Confidence = min(f.Confidence, flow.Possible) // a page inside a document is what another server answered
		case reports.MatchString(p.words):
			f.Confidence = min(f.Confidence, flow.Likely)
		}
	}
	return f, f.Confidence > 0
}

// quotedPage marks an HTML page in the text of a document, reports the words
// in which an application tells what another server answered to it.
var (
	quotedPage = regexp.MustCompile(`(?i)<(!doctype html|html|head|body)\b`)
	reports    = regexp.MustCompile(`\b(upstream|downstream|partner|remote|third party|backend|provider) (\w+ ){0,4}(answered|returned|responded|replied|rejected|refused|failed)\b|\b(answered|returned|responded|replied|failed) (with )?(an? )?(http )?(status )?(code )?(error )?[45]\d\d\b`)
)

// inLogs are the causes for which words in a log line are believed; the others
// occur in paths and messages of all kinds.
func inLogs(n Name) bool {
	return !Any(WAFRule, WrongPath, BusinessRule, SchemaViolation, MissingHeader, WrongMethod, Subscription, StateRestriction, BodyTooLarge, GeoBlocked, LegalBlock, URLCategoryBlocked, FeatureDisabled)(n)
}

// inLogAfterAll lets those of the others pass that name the thing itself.
func inLogAfterAll(n Name, words string) bool {
	return n == FeatureDisabled && strings.Contains(words, "feature ") || n == StateRestriction && (strings.Contains(words, "read only ") || strings.Contains(words, "readonly")) ||
		Any(StateRestriction, Subscription)(n) && rejects.MatchString(words)
}

// rejects is how a line says that it is about a refusal, not about a state of something that was met.
var rejects = regexp.MustCompile(`\b(rejected|denied|refused|forbidden|blocked|403)\b`)

// inContext corrects a meaning by what the request shows.
func (c *Case) inContext(f *Finding) {
	creds := c.credentials(c.Flow)
	jwt, _ := c.token(c.Flow)
	switch f.Cause {
	case MissingToken:
		for _, cr := range creds {
			if cr.kind == authHeader && cr.value != "" {
				f.Cause, f.Confidence = InvalidToken, flow.Likely // it was sent and not recognized
				return
			}
		}
		*f = c.withCredentialOf(*f)
	case SignatureMismatch:
		if jwt != nil && !c.signs() {
			f.Cause = InvalidToken
		}
	case InvalidToken:
		if jwt == nil && c.signs() && strings.Contains(f.Summary, "ignature") {
			f.Cause = SignatureMismatch // of the request: there is no token with a signature
			return
		}
		if c.auth(c.Flow) == nil && c.unsafe() && len(cookies(c.req())) > 0 && strings.HasSuffix(strings.ToLower(f.Summary), "token mismatch") {
			f.Cause, f.Confidence = CSRFMismatch, flow.Likely // of a form in a session: there is no other token to match
			return
		}
		if len(creds) == 0 {
			// Nothing was sent: what is invalid is its absence, or a token in the body.
			f.Cause, f.Confidence = MissingToken, flow.Likely
			if len(c.req().Body.Data) > 0 && bytes.Contains(bytes.ToLower(c.req().Body.Data), []byte("token")) {
				f.Cause, f.Confidence = InvalidToken, flow.Possible
			}
			*f = c.withCredentialOf(*f)
		}
	case InvalidAPIKey:
		if len(creds) == 0 {
			f.Cause, f.Confidence = MissingAPIKey, flow.Likely
			*f = c.withCredentialOf(*f)
		}
	case RateLimit:
		if c.resp().Status == 200 {
			f.Confidence = flow.Likely
		}
	case WrongPath, WrongMethod:
		f.Confidence = min(f.Confidence, flow.Likely)
	case ModelAccess:
		if !c.aiRequest() && c.resp().Status != 403 {
			f.Confidence = flow.Possible
		}
	}
}

// signs reports whether the request carries a signature of itself (SigV4, HMAC).
func (c *Case) signs() bool {
	for _, cr := range c.credentials(c.Flow) {
		if cr.kind == signed || cr.kind == authHeader && (equalFold(cr.scheme, "AWS4-HMAC-SHA256", "HMAC", "Signature", "SharedKey", "OAuth")) {
			return true
		}
	}
	return false
}

// codeFinding is what a GraphQL error code alone says.
func (c *Case) codeFinding(code string) Finding {
	e, _ := rawJSON(c.said().body, code)
	f := because("a GraphQL error carries the code %s", code).On(ByCode).Quote(e)
	f.Confidence = flow.Likely
	switch code {
	case "UNAUTHENTICATED", "UNAUTHORIZED", "AUTH_NOT_AUTHENTICATED", "Unauthorized":
		f.Cause = MissingToken
		if len(c.credentials(c.Flow)) > 0 {
			f.Cause = InvalidToken
		}
	default:
		f.Cause = MissingRole
		f.Confidence = flow.Possible
	}
	return f
}

// grpcFinding is what a gRPC status alone says (google/rpc/code.proto).
func (c *Case) grpcFinding(explained bool) (Finding, bool) {
	m := c.resp()
	s := grpcStatus(m)
	where := "response.trailer:grpc-status"
	if m.Trailers.Get("grpc-status") == "" {
		where = "response.header:grpc-status"
	}
	f := because("the gRPC status is %s", s).On(ByCode).Quote(Evidence{Where: where, Quote: s})
	f.Confidence = flow.Likely
	if explained {
		return f, false
	}
	switch s {
	case "7":
		f.Summary = "the gRPC status is 7, PERMISSION_DENIED"
		f.Cause, f.Confidence = MissingRole, flow.Possible
	case "16":
		f.Summary = "the gRPC status is 16, UNAUTHENTICATED"
		f.Cause = InvalidToken
		if len(c.credentials(c.Flow)) == 0 {
			f.Cause = MissingToken
		}
	case "8":
		f.Summary = "the gRPC status is 8, RESOURCE_EXHAUSTED"
		f.Cause = RateLimit
	default:
		return f, false
	}
	return f, true
}

// decided reports whether the answer itself carries a product's decision.
func (c *Case) decided() bool {
	for _, h := range c.hits() {
		if !h.Logged && !h.Elsewhere && !h.Reported && h.Confidence != "possible" && !(len(h.Quotes) > 0 && h.Basis != "code" && c.amongReasons("", Evidence(h.Quotes[0]))) {
			return true
		}
	}
	return false
}

// boilerplate reports whether the answer is the stock page of a server: its
// sentences ("You don't have permission to access this resource.") are the
// same for every refusal and say nothing of this one.
func (c *Case) boilerplate() bool {
	if !c.said().isHTML {
		return false
	}
	switch who := c.whoAnswered(); who.layer {
	case layerWebServer, layerLoadBalancer:
		return who.id != ""
	}
	return false
}

// courtesy is what the stock pages of all kinds of servers say with a 403; it
// does not show that a permission of a user was looked at.
var courtesy = regexp.MustCompile(`\b(permissions?|authori[sz]ed|allowed|access|rights?) (to|for) (access|view|see|open|use|enter|get) (the |this |that |requested |our |url |\w+ on this )*(resource|page|url|site|website|server|document|directory|content|area|file|link|location)\b|\bdo(nt| not) have (access|permission) to (this|the) (page|site|resource|url|area)\b`)

// saysNothing are the words of answers that say that, not why. They are the most
// frequent ones, and need no further look.
var saysNothing = map[string]bool{"forbidden": true, "403 forbidden": true, "error 403": true, "error 403 forbidden": true, "http 403": true, "http 403 forbidden": true, "http error 403": true, "access denied": true, "denied": true,
	"unauthorized": true, "401 unauthorized": true, "error": true, "errors": true, "failed": true, "failure": true, "false": true, "fail": true, "permission denied": true, "not allowed": true, "access forbidden": true, "nginx": true, "bad request": true, "400 bad request": true}
