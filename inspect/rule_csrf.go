package inspect

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/inspect/vendors"
)

var csrf = &Rule{
	Name: "csrf", Cause: CSRFMissing, Title: "the CSRF token is missing or does not match", Item: 5,
	Doc: `Frameworks that keep the session in a cookie want proof that the request comes from their own page: a token in a header or field that belongs to a cookie or session. Where the two travel is
in the data files (Django csrftoken → X-CSRFToken, the Angular convention XSRF-TOKEN → X-XSRF-TOKEN with percent-encoding removed, Rails X-CSRF-Token, ASP.NET __RequestVerificationToken …).
Only methods that change something are checked. The answer often does not say that this was the reason (Spring Security, Express: a bare 403).`,
	Run: func(c *Case) []Finding {
		if !c.unsafe() || c.AnswerSpeaksFor(Not(CSRFMissing, CSRFMismatch)) {
			return nil
		}
		said := c.AnswerSpeaksFor(Any(CSRFMissing, CSRFMismatch))
		t := c.csrfState()
		if t.token.value == "" && !said && t.expected.value == "" && t.cookie.name == "" && t.offered.name == "" {
			return nil // nothing of the kind anywhere
		}
		switch {
		case t.token.value == "":
			return c.csrfAbsent(t, said)
		case t.cookie.name == "" && c.csrfCookieOf(c.Success) != "":
			name := c.csrfCookieOf(c.Success)
			f := because("the CSRF token came without the cookie %s that the accepted request #%d had", name, c.Success.ID).At(layerApp).
				Quote(Evidence{Where: t.token.where, Quote: t.token.value}).Quote(Evidence{Where: "diff", Quote: name})
			if t.vendor != nil {
				f = f.By(Name(t.vendor.ID))
			}
			return f.With("send the token with its cookie", c.csrfPatch(t)...).Likely()
		case t.vendor != nil && t.scheme.Cookies != nil && t.cookie.name == "" && len(cookies(c.req())) == 0:
			f := because("the CSRF token came without the cookie that it belongs to").Quote(Evidence{Where: t.token.where, Quote: t.token.value}).By(Name(t.vendor.ID)).At(layerApp)
			if said {
				return f.Likely()
			}
			return f.Possible()
		}
		return c.csrfDiffers(t, said)
	},
}

func (c *Case) csrfAbsent(t csrfState, said bool) []Finding {
	name := t.name()
	f := because("the request carries no CSRF token").At(layerApp)
	if t.vendor != nil {
		f.Vendor = Name(t.vendor.ID)
	}
	switch {
	case t.expected.value != "":
		f.Summary = "the accepted request #" + itoa(int(c.Success.ID)) + " carried the CSRF token " + t.expected.name + ", this one does not"
		f = f.Quote(Evidence{Where: "diff", Quote: t.expected.name})
	case t.cookie.name != "":
		f.Summary = "the CSRF cookie " + t.cookie.name + " was sent, the token in " + name + " was not"
		f = f.Quote(Evidence{Where: "request.header:Cookie", Quote: t.cookie.name}).On(ByComputation)
	case t.offered.name != "":
		f.Summary = "the answer sets the CSRF cookie " + t.offered.name + " that the request did not have"
		f = f.Quote(Evidence{Where: "response.header:Set-Cookie", Quote: t.offered.name})
	}
	f = f.Titled("CSRF token missing").Then("Send the CSRF token in %s, in the session that it was issued for", name)
	f = f.With("send the token", c.csrfPatch(t)...)
	switch {
	case said:
		// The answer says that it is about CSRF, and the request shows that nothing was sent.
		f.Basis = max(f.Basis, ByComputation)
		if t.vendor == nil && t.expected.name == "" && t.cookie.name == "" && t.offered.name == "" {
			return f.Likely() // the field may have a name that does not show what it is
		}
		if !c.namesCSRF() {
			return f.Likely() // a page that stands for other refusals as well
		}
		return f.Certain()
	case t.expected.value != "" || t.cookie.name != "" && !c.bearer():
		if c.refusedByWall() {
			return f.Possible()
		}
		return f.Likely()
	case t.offered.name != "":
		return f.Likely()
	}
	return f.Possible()
}

func (c *Case) csrfDiffers(t csrfState, said bool) []Finding {
	f := because("the CSRF token %s is not the one that the server expects", t.token.name).Of(CSRFMismatch).At(layerApp).Quote(Evidence{Where: t.token.where, Quote: t.token.value})
	if t.vendor != nil {
		f.Vendor = Name(t.vendor.ID)
	}
	f = f.With("send the token that belongs to the cookie", c.csrfPatch(t)...)
	want := t.cookie.value
	if t.scheme.Unescape {
		if u, err := url.QueryUnescape(want); err == nil {
			want = u
		}
	}
	double := t.scheme.Same || t.expected.value != "" && c.doubleSubmitAccepted(t)
	switch {
	case t.cookie.name != "" && double && want != t.token.value:
		f.Summary = "the CSRF token in " + t.token.name + " is not the value of the cookie " + t.cookie.name
		f = f.Quote(Evidence{Where: "request.header:Cookie", Quote: t.cookie.name}).On(ByComputation)
		return f.Likely()
	case said:
		return f.Likely()
	case t.expected.value != "" && (len(t.token.value) != len(t.expected.value) || unset.MatchString(t.token.value)):
		f.Summary = "the CSRF token " + t.token.name + " does not have the form of the accepted one"
		return f.Likely()
	case t.expected.value != "" && t.expected.value != t.token.value && !c.othersDifferHeader(t.token.name, "cookie"):
		f = f.Quote(Evidence{Where: "diff", Quote: t.expected.value})
		if c.header("Cookie") == c.okReq().Header.Get("Cookie") {
			return f.Likely() // the session is the accepted one, the token alone is another
		}
		return f.Possible()
	}
	return nil
}

// doubleSubmitAccepted reports whether the accepted request had the same value in header and cookie.
func (c *Case) doubleSubmitAccepted(t csrfState) bool {
	v, ok := cookieNamed(c.okReq(), t.cookie.name)
	if !ok {
		return false
	}
	if u, err := url.QueryUnescape(v); err == nil && t.scheme.Unescape {
		v = u
	}
	return v == t.expected.value
}

// csrfCookieOf is the name of the CSRF cookie that a flow's request carried, "" if it carried none.
func (c *Case) csrfCookieOf(f *flow.Flow) string {
	if f == nil {
		return ""
	}
	for _, ck := range cookies(f.Request) {
		if csrfName(ck.name) {
			return ck.name
		}
	}
	return ""
}

// bearer reports whether the request authenticates with a header: then no CSRF
// check is needed, and most frameworks do none.
func (c *Case) bearer() bool {
	a := c.auth(c.Flow)
	return a != nil && !strings.EqualFold(a.scheme, "basic")
}

// csrfState is what of a CSRF check can be seen.
type csrfState struct {
	vendor   *vendors.Vendor // whose scheme it is; nil: not known
	scheme   vendors.Scheme
	token    located // in the refused request: header or field
	cookie   located // in the refused request
	expected located // in the accepted request: header or field
	offered  located // a CSRF cookie that the refusal sets
}

type located struct{ name, value, where string }

func (t csrfState) name() string {
	switch {
	case t.expected.name != "":
		return t.expected.name
	case len(t.scheme.Headers) > 0:
		return t.scheme.Headers[0]
	case len(t.scheme.Fields) > 0:
		return "the field " + t.scheme.Fields[0]
	}
	return "the header that the framework reads"
}

var csrfWords = regexp.MustCompile(`(?i)csrf|xsrf|crumb|anti-?forgery|requestverificationtoken|authenticity_?token|__requestverification|wpnonce|x-wp-nonce|atl_token|form_key|_tt_`)

// csrfName reports whether a header, field or cookie is by its name a CSRF token.
func csrfName(n string) bool {
	if i := strings.LastIndexByte(n, '['); i >= 0 && strings.HasSuffix(n, "]") {
		n = n[i+1 : len(n)-1] // contact[_token], as Symfony's and Rails' forms name their fields
	}
	return decode.IsCSRFName(n) && !strings.EqualFold(n, "nonce") || csrfWords.MatchString(n)
}

func (c *Case) csrfState() csrfState {
	var t csrfState
	t.token = tokenIn(c.req(), c.Flow, nil)
	if c.Success != nil {
		t.expected = tokenIn(c.okReq(), c.Success, nil)
	}
	for _, ck := range cookies(c.req()) {
		if csrfName(ck.name) {
			t.cookie = located{ck.name, ck.value, "request.header:Cookie"}
			break
		}
	}
	for _, ck := range setCookies(c.resp()) {
		if csrfName(ck.name) && t.cookie.name == "" {
			t.offered = located{ck.name, ck.value, "response.header:Set-Cookie"}
			break
		}
	}
	c.csrfScheme(&t)
	return t
}

// csrfScheme finds whose scheme it is: of the product whose answer this is,
// else of the only one that uses this cookie or header.
func (c *Case) csrfScheme(t *csrfState) {
	var own []*vendors.Vendor
	for _, f := range c.facts.claims {
		if v := vendors.ByID(string(f.Vendor)); v != nil && len(v.CSRF) > 0 {
			own = append(own, v)
		}
	}
	if who := c.whoAnswered(); who.vendor != nil && len(who.vendor.CSRF) > 0 {
		own = append(own, who.vendor)
	}
	if len(own) > 0 {
		t.vendor, t.scheme = own[0], own[0].CSRF[0]
		if t.token.value == "" {
			t.token = tokenIn(c.req(), c.Flow, &t.scheme)
		}
		if t.cookie.name == "" {
			for _, n := range t.scheme.Cookies {
				if v, ok := cookieNamed(c.req(), n); ok {
					t.cookie = located{strings.TrimSuffix(n, "*"), v, "request.header:Cookie"}
				}
			}
		}
		return
	}
	var hit *vendors.Vendor
	for _, v := range vendors.All() {
		for _, s := range v.CSRF {
			for _, n := range s.Cookies {
				if t.cookie.name != "" && matchName(n, t.cookie.name) || t.offered.name != "" && matchName(n, t.offered.name) {
					if hit != nil && hit != v {
						// Several use this cookie: keep how it travels, not who it is.
						t.vendor = nil
						return
					}
					hit, t.vendor, t.scheme = v, v, s
				}
			}
		}
	}
}

// tokenIn finds a CSRF token outside the cookies of a request.
func tokenIn(m *flow.Message, f *flow.Flow, s *vendors.Scheme) located {
	is := csrfName
	if s != nil {
		is = func(n string) bool {
			return equalFold(n, s.Headers...) || equalFold(n, s.Fields...)
		}
	}
	for _, h := range m.Header {
		if is(h.Name) && h.Value != "" && !strings.EqualFold(h.Name, "Cookie") {
			return located{h.Name, h.Value, "request.header:" + h.Name}
		}
	}
	for k, v := range fields(m) {
		if is(k) && v != "" {
			return located{k, v, "request.body"}
		}
	}
	for k, v := range queryOf(f) {
		if is(k) && v != "" {
			return located{k, v, "request.url"}
		}
	}
	return located{}
}

// csrfPatch puts the right token where it belongs: the cookie's value in a
// double submit, else the newest token that a page of this host gave.
func (c *Case) csrfPatch(t csrfState) []flow.Change {
	if strings.HasPrefix(t.token.where, "request.body") {
		return c.csrfFieldPatch(t)
	}
	header := ""
	switch {
	case strings.HasPrefix(t.token.where, "request.header:"):
		header = t.token.name
	case t.expected.name != "" && c.okReq().Header.Has(t.expected.name):
		header = t.expected.name
	case len(t.scheme.Headers) > 0:
		header = t.scheme.Headers[0]
	}
	if header == "" {
		return nil
	}
	cookie, value := t.cookie, ""
	var patch []flow.Change
	if cookie.name == "" {
		if ck, ok := c.newestCookie(t); ok {
			cookie = ck
			patch = append(patch, flow.Change{Part: flow.InCookie, Name: ck.name, After: str(ck.value)})
		}
	}
	switch {
	case cookie.name != "" && (t.scheme.Same || c.doubleSubmit(cookie.name)):
		value = cookie.value
		if t.scheme.Unescape || strings.EqualFold(cookie.name, "XSRF-TOKEN") {
			if u, err := url.QueryUnescape(value); err == nil {
				value = u
			}
		}
	default:
		if v, ok := c.pageToken(); ok {
			value = v
		} else if theirs := c.okReq().Header.Get("Cookie"); t.expected.value != "" && (theirs == "" || theirs == c.header("Cookie")) {
			value = t.expected.value // of the same session, or of none
		} else if t.expected.value != "" && c.okReq().Header.Has(t.expected.name) {
			// Another session: its cookie and its token belong together.
			return append(c.acceptedCookies(), setHeader(c.req(), t.expected.name, t.expected.value))
		}
	}
	if value == "" || value == t.token.value {
		return nil
	}
	return append(patch, setHeader(c.req(), header, value))
}

// acceptedCookies are the changes that give the request the cookies of the accepted one, one by one.
func (c *Case) acceptedCookies() []flow.Change {
	var patch []flow.Change
	for _, ck := range cookies(c.okReq()) {
		mine, there := cookieNamed(c.req(), ck.name)
		ch := flow.Change{Part: flow.InCookie, Name: ck.name, After: str(ck.value)}
		if there && mine == ck.value {
			continue
		}
		if there {
			ch.Before = str(mine)
		}
		patch = append(patch, ch)
	}
	return patch
}

// csrfFieldPatch corrects the token where it was sent: in a field of the body.
func (c *Case) csrfFieldPatch(t csrfState) []flow.Change {
	for _, ch := range c.Changes {
		if (ch.Part == flow.InForm || ch.Part == flow.InMultipart || ch.Part == flow.InJSON) && ch.After != nil && strings.HasSuffix(ch.Name, t.token.name) &&
			c.header("Cookie") == c.okReq().Header.Get("Cookie") {
			return []flow.Change{ch} // the same session had another one accepted
		}
	}
	value := ""
	if v, ok := c.pageToken(); ok {
		value = v
	} else if t.cookie.name != "" && (t.scheme.Same || c.doubleSubmit(t.cookie.name)) {
		value = t.cookie.value
	}
	if value == "" || value == t.token.value || mediaType(c.req()) != "application/x-www-form-urlencoded" {
		return nil
	}
	return []flow.Change{{Part: flow.InForm, Name: t.token.name, Before: str(t.token.value), After: str(value)}}
}

// doubleSubmit: by its name the cookie is made to be read by scripts and sent
// back as it is: Angular's convention, Django's (which masks tokens but takes the cookie's value), and plain ones.
func (c *Case) doubleSubmit(name string) bool {
	return equalFold(name, "XSRF-TOKEN", "csrftoken", "csrf_token", "csrf-token")
}

// newestCookie is the CSRF cookie that this host set last.
func (c *Case) newestCookie(t csrfState) (located, bool) {
	try := func(f *flow.Flow) (located, bool) {
		for _, ck := range setCookies(f.Response) {
			if csrfName(ck.name) && ck.value != "" {
				return located{ck.name, ck.value, "history"}, true
			}
		}
		return located{}, false
	}
	if l, ok := try(c.Flow); ok {
		return l, true
	}
	for i := len(c.History.Before) - 1; i >= 0; i-- {
		if f := c.History.Before[i]; f.Authority == c.Flow.Authority {
			if l, ok := try(f); ok {
				return l, true
			}
		}
	}
	if t.scheme.Same && c.Success != nil {
		for _, ck := range cookies(c.okReq()) {
			if csrfName(ck.name) {
				return located{ck.name, ck.value, "diff"}, true
			}
		}
	}
	return located{}, false
}

var pageTokens = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<input[^>]+name=["'](?:_?csrf[^"']*|csrfmiddlewaretoken|_token|authenticity_token|__RequestVerificationToken|[^"']*csrf[^"']*)["'][^>]*value=["']([^"']+)["']`),
	regexp.MustCompile(`(?i)<input[^>]+value=["']([^"']+)["'][^>]*name=["'](?:_?csrf[^"']*|csrfmiddlewaretoken|_token|authenticity_token|__RequestVerificationToken|[^"']*csrf[^"']*)["']`),
	regexp.MustCompile(`(?i)<meta[^>]+name=["'](?:_?csrf|csrf-token|csrf_token|x-csrf-token)["'][^>]*content=["']([^"']+)["']`),
	regexp.MustCompile(`(?i)<meta[^>]+content=["']([^"']+)["'][^>]*name=["'](?:_?csrf|csrf-token)["']`),
}

// pageToken is the newest token that a page or a JSON answer of this host gave,
// as long as the session cookies are still the same.
func (c *Case) pageToken() (string, bool) {
	for i := len(c.History.Before) - 1; i >= 0; i-- {
		f := c.History.Before[i]
		if f.Authority != c.Flow.Authority || f.Response == nil || f.Status() >= 400 {
			continue
		}
		body := f.Response.Body.Data
		if len(body) == 0 {
			continue
		}
		if strings.Contains(f.Response.Header.Get("Content-Type"), "json") {
			a := readAnswer(f.Response)
			for _, k := range []string{"csrfToken", "csrf_token", "csrf", "_csrf", "token", "xsrfToken", "requestToken", "crumb"} {
				if v := lookJSON(a.json, k); len(v) == 1 && len(v[0]) >= 8 && (k != "token" || strings.Contains(strings.ToLower(f.Path()), "csrf")) {
					return v[0], true
				}
			}
			continue
		}
		for _, re := range pageTokens {
			if m := re.FindSubmatch(body); m != nil {
				return string(m[1]), true
			}
		}
	}
	return "", false
}

// othersDifferHeader reports whether any header but the named ones, or anything
// that is no header, differs from the accepted request.
func (c *Case) othersDifferHeader(names ...string) bool {
	for _, ch := range c.Changes {
		switch ch.Part {
		case flow.InHeader:
			if !idle(ch.Name) && !equalFold(ch.Name, names...) {
				return true
			}
		case flow.InCookie:
			if !equalFold("cookie", names...) {
				return true
			}
		case flow.InHeaderOrder, flow.InHeaderCase, flow.InConn, flow.InProto, flow.InJWT:
		default:
			return true
		}
	}
	return false
}

var csrfByName = regexp.MustCompile(`(?i)csrf|xsrf|forgery|forged|token|crumb|nonce|cross[- ]site`)

// namesCSRF reports whether the answer or a log says CSRF for certain or by its name.
func (c *Case) namesCSRF() bool {
	for _, f := range c.facts.claims {
		if !Any(CSRFMissing, CSRFMismatch)(f.Cause) {
			continue
		}
		if f.Confidence == flow.Certain {
			return true
		}
		for _, e := range f.Evidence {
			if csrfByName.MatchString(e.Quote) {
				return true
			}
		}
	}
	return false
}
