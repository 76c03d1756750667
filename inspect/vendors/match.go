package vendors

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/why403/why403/flow"
)

// Exchange is what conditions look at. Bodies are decoded prefixes.
type Exchange struct {
	Request, Response *flow.Message
	URL, Host, Path   string
	Body, Lower       string // the response's; Lower is Lower(Body)
	RequestBody       string
	Title             string                     // of an HTML page
	JSON              func(path string) []string // values at a path, nil: none
	Cookie            func(name string) bool     // whether the request has it
	Logs              []LogLine
	cached            cached
}

// LogLine is a line of a server's log that belongs to the exchange.
type LogLine struct {
	Label string
	N     int
	Text  string
	Near  bool // by time alone: it may be another request's
}

// Quote is a verbatim piece of what Where names.
type Quote struct {
	Where  string
	Quote  string
	Offset int
}

// Hit is a section that holds, with the quotations that show it.
type Hit struct {
	*Section
	Quotes []Quote
	// Elsewhere is true where the host is none of the service's: somebody else
	// uses the same codes, and may mean the same by them.
	Elsewhere bool
	// Anybody is true where the words are common and nothing else shows the product.
	Anybody bool
	// Reported is true where an application tells what another server answered to it.
	Reported bool
}

// Decisions returns the decisions that hold for x, in the order of the files.
// refusedByStatus says whether the status alone is a refusal; a decision that
// does not name the status is only looked for then, or where a log line shows it.
func Decisions(x *Exchange, refusedByStatus bool) []Hit {
	if x.Response == nil {
		return nil
	}
	var out, near []Hit
	list, notice, data := sectionsFor(x.Response.Status, refusedByStatus), x.isNotice(), x.isData()
	for i := range list {
		c := &list[i]
		s := c.Section
		if c.ruledOut(x) || s.bodyAlone && (!notice || data && s.pageOnly()) || s.text != nil && s.text.lacks(x.bodyGrams()) {
			continue
		}
		q, ok := s.holds(x)
		if !ok {
			continue
		}
		h := Hit{s, q, s.Vendor.elsewhere(x.Host) && !s.signed() && !wordy(q), s.Common && !s.Vendor.shown(x), s.reported(x, q)}
		if !refusedByStatus && !s.AnyStatus && x.near(s, q) {
			near = append(near, h)
		} else {
			out = append(out, h)
		}
	}
	if slices.ContainsFunc(out, func(h Hit) bool { return !h.Elsewhere && !h.Reported }) {
		out = append(out, near...) // what else says that this one was refused
	}
	slices.SortStableFunc(out, func(a, b Hit) int { return cmp.Compare(b.strength(), a.strength()) })
	return out
}

// near reports whether a quotation is of a line that may be another request's. A
// line that names the refused Host or Origin holds for every request that has it.
func (x *Exchange) near(s *Section, quotes []Quote) bool {
	subject := ""
	switch s.Cause {
	case "host-mismatch":
		subject = x.Request.Header.Get("Host")
	case "origin-mismatch", "cors-origin-denied":
		subject = x.Request.Header.Get("Origin")
	}
	return slices.ContainsFunc(x.Logs, func(l LogLine) bool {
		return l.Near && (len(subject) < minSubject || !strings.Contains(l.Text, subject)) &&
			slices.ContainsFunc(quotes, func(q Quote) bool { return strings.HasPrefix(q.Where, "log:") && q.Quote == l.Text })
	})
}

const minSubject = 6 // bytes of a Host or Origin that a line is looked through for

// elsewhere reports whether host is none of those that the service has. A name
// for documentation (RFC 2606, 2 and 3) stands for the real one in a transcript.
func (v *Vendor) elsewhere(host string) bool {
	return v.At != nil && !v.At.re().MatchString(host) && !documentation.MatchString(host)
}

// shown reports whether the answer or the host shows the product, whatever was decided.
func (v *Vendor) shown(x *Exchange) bool {
	if v.At != nil && v.At.re().MatchString(x.Host) {
		return true
	}
	if v.Server != nil && v.Server.re().MatchString(x.Response.Header.Get("Server")) {
		return true
	}
	return slices.ContainsFunc(v.Answered, func(s *Section) bool { _, ok := s.holds(x); return ok })
}

var documentation = regexp.MustCompile(`(?i)(^|\.)(example|example\.(com|net|org))(:\d+)?$`)

// wordy reports whether a quotation is a sentence that hardly anybody else would
// word so: a gateway passes on what the service said.
func wordy(quotes []Quote) bool {
	return slices.ContainsFunc(quotes, func(q Quote) bool { return len(q.Quote) >= 40 })
}

// signed reports whether the section rests on a header that no other product sets.
func (s *Section) signed() bool {
	return slices.ContainsFunc(s.Conds, func(c *Cond) bool {
		return !c.Not && (c.Kind == "header" && !plain[Lower(c.Name)] && !shared[Lower(c.Name)] || c.Kind == "log")
	})
}

// shared fields are set by many products: they are a mark of a decision only with what else a section asks for.
var shared = map[string]bool{"www-authenticate": true, "retry-after": true, "x-request-id": true, "x-ratelimit-remaining": true, "ratelimit-remaining": true, "content-length": true, "cache-control": true}

// strength orders the hits in one answer: the surer first, then what is shown by
// more: a product that asks for several things or a long sentence is likelier to
// be the one than a product that asks for a word.
func (h Hit) strength() int {
	n := 0
	for _, q := range h.Quotes {
		if q.Where == "response.body" { // of fields and lines the whole is quoted
			n += min(len(q.Quote), 80)
		}
	}
	if h.signed() {
		n += 40
	}
	n += 10 * min(len(h.Conds), 9)
	switch {
	case h.Elsewhere, h.Reported:
	case h.Anybody:
		n += 500 // who can be told by another comes first
	case h.Confidence == "certain":
		n += 2000
	case h.Confidence == "likely":
		n += 1000
	}
	return n
}

// byStatus keeps, for each status met, the decisions that can hold under it:
// most answers are accepted ones, for which only a few need a look.
var byStatus struct {
	sync.Mutex
	of map[statusKey][]candidate
}

type statusKey struct {
	status  int
	refused bool
}

// limits are causes for which servers answer 500 or 503 by default (limit_req of
// nginx, mod_qos); only their log tells those from a fault.
var limits = map[string]bool{"rate-limit": true, "quota-exhausted": true, "waf-rule": true}

func sectionsFor(status int, refused bool) []candidate {
	if status < 100 || status > 599 {
		status = 0 // of no consequence, and bounded
	}
	byStatus.Lock()
	defer byStatus.Unlock()
	k := statusKey{status, refused}
	list, known := byStatus.of[k]
	if known {
		return list
	}
	for _, v := range All() {
		for _, s := range v.Decisions {
			if (s.AnyStatus || refused || s.Logged && (status >= 400 && status < 500 && status != 404 || (status == 500 || status == 503) && limits[s.Cause])) && s.allows(status) {
				list = append(list, candidateOf(s))
			}
		}
	}
	if byStatus.of == nil {
		byStatus.of = map[statusKey][]candidate{}
	}
	byStatus.of[k] = list
	return list
}

// allows reports whether the section's conditions on the status hold.
func (s *Section) allows(status int) bool {
	for _, c := range s.Conds {
		if c.Kind == "status" && statusIn(status, c.Values) == c.Not {
			return false
		}
	}
	return true
}

// Answerers returns the sections that show who made the answer.
func Answerers(x *Exchange) []Hit {
	var out []Hit
	list := answerers()
	for i := range list {
		c := &list[i]
		if n := len(out); n > 0 && out[n-1].Vendor == c.Vendor || c.ruledOut(x) {
			continue
		}
		if q, ok := c.holds(x); ok && !c.reported(x, q) {
			out = append(out, Hit{Section: c.Section, Quotes: q})
		}
	}
	return out
}

// answerers are the sections that show who answered, those of one product together.
var answerers = sync.OnceValue(func() (list []candidate) {
	for _, v := range All() {
		for _, s := range v.Answered {
			list = append(list, candidateOf(s))
		}
	}
	return list
})

// OfServer is the product whose Server field this is, nil if none is known by it.
func OfServer(field string) *Vendor {
	return servers.of(field, func(v *Vendor) *Cond { return v.Server })
}

// AtHost is the service whose host this is, nil if it is none's.
func AtHost(host string) *Vendor { return hosts.of(host, func(v *Vendor) *Cond { return v.At }) }

// owners remembers whose a name is: the same few names are asked for again and again.
type owners struct {
	sync.Mutex
	known map[string]*Vendor // at most maxOwned
}

const maxOwned = 1000

var servers, hosts owners

// of is the first product whose condition matches name, nil if there is none.
func (o *owners) of(name string, cond func(*Vendor) *Cond) *Vendor {
	o.Lock()
	defer o.Unlock()
	if v, ok := o.known[name]; ok {
		return v
	}
	if o.known == nil || len(o.known) >= maxOwned {
		o.known = map[string]*Vendor{}
	}
	all := All()
	i := slices.IndexFunc(all, func(v *Vendor) bool { c := cond(v); return c != nil && c.re().MatchString(name) })
	var v *Vendor
	if i >= 0 {
		v = all[i]
	}
	o.known[strings.Clone(name)] = v
	return v
}

// SupportID is the id in the answer that the product's support or log knows; "" if there is none.
func (v *Vendor) SupportID(x *Exchange) string {
	for _, id := range v.IDs {
		q, ok := id.Cond.match(x)
		if !ok || len(q) == 0 {
			continue
		}
		if id.Cond.re != nil {
			if m := id.Cond.re().FindStringSubmatch(q[0].Quote); len(m) > 1 {
				return m[1]
			}
		}
		return q[0].Quote
	}
	return ""
}

func (s *Section) holds(x *Exchange) ([]Quote, bool) {
	var quotes []Quote
	for _, c := range s.Conds {
		q, ok := c.match(x)
		if ok == c.Not {
			return nil, false
		}
		if !c.Not {
			quotes = append(quotes, q...)
		}
	}
	return quotes, len(s.Conds) > 0
}

func (c *Cond) match(x *Exchange) ([]Quote, bool) {
	switch c.Kind {
	case "status":
		return nil, x.Response != nil && statusIn(x.Response.Status, c.Values)
	case "method":
		for _, v := range c.Values {
			if x.Request != nil && x.Request.Method == v {
				return nil, true
			}
		}
		return nil, false
	case "header":
		return c.field(x.Response, false, "response.header:")
	case "trailer":
		return c.field(x.Response, true, "response.trailer:")
	case "request-header":
		return c.field(x.Request, false, "request.header:")
	case "request-cookie":
		return nil, x.Cookie != nil && x.Cookie(c.Name)
	case "body":
		if c.Op != "" && c.lacks(x.bodyGrams()) {
			return nil, false
		}
		if c.Op == "has" {
			for _, v := range c.Values {
				if i := strings.Index(x.Lower, Lower(v)); i >= 0 && i+len(v) <= len(x.Body) {
					return []Quote{{"response.body", x.Body[i : i+len(v)], i}}, true
				}
			}
			return nil, false
		}
		if c.Op == "" {
			return nil, strings.TrimSpace(x.Body) != ""
		}
		if c.Op == "like" && !c.may(x.Lower) {
			return nil, false
		}
		return c.text(x.Body[:min(len(x.Body), 64<<10)], "response.body")
	case "title":
		q, ok := c.text(x.Title, "response.body")
		if ok {
			if i := strings.Index(x.Body, q[0].Quote); i >= 0 {
				q[0].Offset = i
			} else {
				q = nil
			}
		}
		return q, ok
	case "request-body":
		return c.text(x.RequestBody[:min(len(x.RequestBody), 64<<10)], "request.body")
	case "reason":
		if x.Response == nil {
			return nil, false
		}
		_, ok := c.text(x.Response.Reason, "")
		return nil, ok // the status line has no place of its own in the evidence
	case "path":
		return c.inURL(x, x.Path)
	case "host":
		return c.inURL(x, x.Host)
	case "url":
		return c.text(x.URL, "request.url")
	case "json":
		for _, v := range x.JSON(c.Name) {
			if c.Op == "" {
				return nil, true
			}
			if q, ok := c.text(v, "response.body"); ok {
				if i := strings.Index(x.Body, q[0].Quote); i >= 0 && q[0].Quote != "" {
					q[0].Offset = i
				} else {
					q = nil
				}
				return q, true
			}
		}
		return nil, false
	case "log":
		if len(x.Logs) == 0 || c.Op != "" && c.lacks(x.logGrams()) {
			return nil, false
		}
		for _, l := range x.Logs {
			if c.Op == "like" && !c.may(Lower(l.Text)) {
				continue
			}
			if q, ok := c.text(l.Text, "log:"+l.Label+":"+strconv.Itoa(l.N)); ok {
				return []Quote{{q[0].Where, l.Text, 0}}, true
			}
		}
	}
	return nil, false
}

func (c *Cond) field(m *flow.Message, trailer bool, where string) ([]Quote, bool) {
	if m == nil {
		return nil, false
	}
	h := m.Header
	if trailer {
		h = m.Trailers
		if !h.Has(c.Name) {
			h = m.Header // a gRPC answer without body carries them in its head
		}
	}
	prefix, wild := strings.CutSuffix(c.Name, "*")
	for _, f := range h {
		if wild && (len(f.Name) < len(prefix) || !strings.EqualFold(f.Name[:len(prefix)], prefix)) || !wild && !strings.EqualFold(f.Name, c.Name) {
			continue
		}
		if c.Op == "" {
			return []Quote{{where + f.Name, f.Value, 0}}, true
		}
		if q, ok := c.text(f.Value, where+f.Name); ok {
			return q, true
		}
	}
	return nil, false
}

// inURL is text for a part of the URL; the offset is that in the whole.
func (c *Cond) inURL(x *Exchange, part string) ([]Quote, bool) {
	q, ok := c.text(part, "request.url")
	if len(q) > 0 {
		q[0].Offset += max(0, strings.Index(x.URL, part))
	}
	return q, ok
}

// text applies the operator; the quotation is the part that matched.
func (c *Cond) text(s, where string) ([]Quote, bool) {
	switch c.Op {
	case "has":
		low := Lower(s)
		for _, v := range c.Values {
			if i := strings.Index(low, Lower(v)); i >= 0 {
				return []Quote{{where, s[i : i+len(v)], i}}, true
			}
		}
	case "is":
		t := strings.TrimSpace(s)
		for _, v := range c.Values {
			if strings.EqualFold(t, v) {
				return []Quote{{where, t, strings.Index(s, t)}}, true
			}
		}
	case "like":
		if loc := c.re().FindStringIndex(s); loc != nil {
			return []Quote{{where, s[loc[0]:loc[1]], loc[0]}}, true
		}
	}
	return nil, false
}

func statusIn(status int, list []string) bool {
	for _, v := range list {
		if len(v) == 3 && strings.HasSuffix(v, "xx") {
			if status/100 == int(v[0]-'0') {
				return true
			}
		} else if len(v) == 3 && status == int(v[0]-'0')*100+int(v[1]-'0')*10+int(v[2]-'0') {
			return true
		}
	}
	return false
}
