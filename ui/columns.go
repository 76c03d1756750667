package ui

import (
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// needs is how many cells the columns of the rows drawn so far would fill. They only grow, so that
// columns do not jump with each new row; another width or filter starts them anew.
type needs struct {
	method, host, path, took, why int
	domain                        string // what all hosts end in, from a dot on; "" if nothing
	hosts                         bool   // a host has been seen
}

// see takes in a row that will be drawn.
func (n *needs) see(th *theme, r *session.Row, now time.Time) {
	if r == nil || r.Kind == flow.Handshake || r.Kind == flow.Rejected {
		return // one text across the columns
	}
	n.method = max(n.method, len(r.Method))
	n.host = widest(n.host, r.Authority)
	n.path = widest(n.path, pathOf(r))
	if d := took(r, now); d >= time.Minute { // below, six cells do
		n.took = widest(n.took, span(d))
	}
	if _, why := reason(th, r); why.Width() > n.why {
		n.why = why.Width()
	}
	switch {
	case !n.hosts:
		n.hosts, n.domain = true, domain(r.Authority, r.Authority)
	case n.domain != "" && !strings.HasSuffix(r.Authority, n.domain):
		n.domain = domain(n.domain, r.Authority)
	}
}

// widest is have, or the cells of s if they are more.
func widest(have int, s string) int {
	if len(s) > have {
		return max(have, safe.Of(s).Width())
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' { // not a cell a byte
			return max(have, safe.Of(s).Width())
		}
	}
	return have
}

// domain is what a and b end in, from the first dot on that both have; "" for addresses of numbers.
func domain(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	same := a[len(a)-n:]
	dot := strings.IndexByte(same, '.')
	if dot < 0 {
		return ""
	}
	name, _, _ := strings.Cut(same[dot:], ":")
	if strings.Trim(name, ".0123456789") == "" || strings.HasSuffix(b, "]") {
		return ""
	}
	return same[dot:]
}

// columns are the widths of the list's columns in cells; one without a width is left out.
type columns struct {
	id, clock, age, method, status, host, path, size, kind, took, why int
	domain                                                            string // not drawn of each host, to have room
}

// width is what the columns take with the gaps between and behind them.
func (c *columns) width() int {
	w := 1 + c.id + 1 + c.method + 1 + c.status + 1 + c.path + 2 + c.why + 1
	for _, n := range []int{c.clock, c.age, c.host, c.size, c.kind, c.took} {
		if n > 0 {
			w += n + 1
		}
	}
	return w
}

// whyWide is how many cells the usual headline of a verdict takes.
const whyWide = 40

// columns shares w cells between those that are shown. The verdict keeps its place longest: it is what people came for.
func (n *needs) columns(w int, last flow.ID, shown columnSet) columns {
	c := columns{
		id: max(4, len(strconv.FormatInt(int64(last), 10))), clock: len("15:04:05"), age: 6, method: min(max(6, n.method), 9), status: 3,
		host: min(max(10, n.host), 36), path: min(max(20, n.path), 60), size: 7, kind: 16, took: max(6, n.took), why: min(max(20, n.why), whyWide),
	}
	shown.hide(&c)
	short := func() int { return c.width() - w }
	give := func(from *int, least int) {
		if s := short(); s > 0 {
			*from -= min(s, max(0, *from-least))
		}
	}
	if w < 72 {
		c.host, c.clock = 0, 0
	}
	if w < 64 {
		c.age = 0
	}
	give(&c.path, 30)
	if short() > 0 {
		c.clock = 0
	}
	give(&c.path, 22)
	if short() > 0 && c.host > 0 && n.domain != "" {
		c.domain = n.domain
		c.host = min(c.host, max(8, n.host-safe.Of(n.domain).Width()+1))
	}
	give(&c.host, 24)
	give(&c.path, 14)
	give(&c.host, 12)
	// Who asked for these columns wants them more than a long headline.
	give(&c.kind, 8)
	if c.kind > 0 || c.size > 0 {
		give(&c.why, 16)
	}
	for _, p := range []*int{&c.kind, &c.size} {
		if short() > 0 {
			*p = 0
		}
	}
	// A headline of 26 cells says what happened; how long it took is in the inspector too.
	if c.why-short() < min(c.why, 26) {
		c.took = 0
	}
	give(&c.why, 20)
	give(&c.host, 8)
	give(&c.path, 8)
	give(&c.why, 8)

	take := func(to *int, most int) { *to += max(0, min(-short(), most-*to)) }
	take(&c.path, min(n.path, 80))
	take(&c.why, n.why)
	take(&c.path, n.path)
	c.why -= short()
	return c
}

// hostOf is the host as the column shows it.
func (c *columns) hostOf(r *session.Row) safe.Text {
	if c.domain != "" {
		if first, ok := strings.CutSuffix(r.Authority, c.domain); ok {
			return safe.Of(first + "…")
		}
	}
	return safe.Of(r.Authority)
}

// pathOf is what the path's column says; a tunnel has only a host.
func pathOf(r *session.Row) string {
	if r.Kind == flow.Tunnel || r.Target == "" {
		return r.Authority
	}
	return r.Target
}

// took is how long a flow has taken up to now.
func took(r *session.Row, now time.Time) time.Duration {
	if !ended(r) {
		return now.Sub(r.Start)
	}
	return r.Duration
}
