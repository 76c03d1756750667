package transcript

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// assemble makes flows of messages: an answer belongs to the request before it.
func assemble(found []piece) []*flow.Flow {
	var flows []*flow.Flow
	var interim []*flow.Message
	open := (*flow.Flow)(nil) // waits for its answer
	for i := range found {
		p := &found[i]
		if len(flows) >= maxFlows {
			break
		}
		switch {
		case p.m.Method != "":
			open = request(p)
			interim = nil
			flows = append(flows, open)
		case p.m.Status < 200 && p.m.Status != http.StatusSwitchingProtocols:
			interim = append(interim, p.m)
		case open == nil && established(p.m) && i+1 < len(found) && found[i+1].m.Status > 0:
			// curl -i through a proxy shows the proxy's consent first
		default:
			if open == nil {
				open = &flow.Flow{Origin: flow.FromImport}
				flows = append(flows, open)
			}
			open.Response, open.Interim, open.Err = p.m, interim, nil
			open, interim = nil, nil
		}
	}
	for i, f := range flows {
		f.ID = flow.ID(i + 1)
		date(f, flows[:i])
	}
	return flows
}

// established is a proxy's consent to a tunnel.
func established(m *flow.Message) bool {
	return m.Status == 200 && strings.EqualFold(m.Reason, "Connection established") && m.Body.Size == 0
}

func request(p *piece) *flow.Flow {
	f := &flow.Flow{Origin: flow.FromImport, Request: p.m}
	f.Conn.Origin = p.address
	why := p.trouble
	if why == "" {
		why = "no answer in the text"
	}
	f.Err = &flow.Failure{Side: "origin", Op: "read", Text: why}
	m := p.m
	if absolute(m.Target) {
		// As a client writes it to a proxy, or an editor for HTTP files.
		scheme, rest, _ := strings.Cut(m.Target, "://")
		authority, target := rest, "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			authority, target = rest[:i], rest[i:]
		}
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		f.Scheme, f.Authority, m.Target, m.Head = scheme, flow.Canonical(scheme, authority), target, nil
		return f
	}
	authority := p.authority
	host, named := m.Header.Lookup("Host")
	if authority == "" {
		authority = host
	}
	if m.Method == "CONNECT" {
		authority = m.Target
	}
	if named && !strings.HasPrefix(m.Proto, "HTTP/1") {
		m.Header.Del("Host") // shown, not sent
	}
	f.Scheme = p.scheme
	if f.Scheme == "" {
		f.Scheme = scheme(m, authority)
	}
	f.Authority = flow.Canonical(f.Scheme, authority)
	return f
}

// scheme concludes what a raw message does not name: from HTTP/2, the port, and
// the page that the request came from; else https, but for hosts that are
// reached by a name or port of their own, as in development.
func scheme(m *flow.Message, authority string) string {
	host, port := authority, ""
	if h, p, err := net.SplitHostPort(authority); err == nil {
		host, port = h, p
	}
	if !strings.HasPrefix(m.Proto, "HTTP/1") || port == "443" || port == "8443" {
		return "https"
	}
	for _, name := range []string{"Origin", "Referer"} {
		if u, err := url.Parse(m.Header.Get(name)); err == nil && strings.EqualFold(u.Host, authority) {
			return strings.ToLower(u.Scheme)
		}
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if port != "" || ip != nil || !strings.Contains(host, ".") {
		return "http"
	}
	return "https"
}

// date gives a flow the only time that the text has, that of the answer. Flows
// stay in the order of the text: servers' clocks differ.
func date(f *flow.Flow, before []*flow.Flow) {
	var at time.Time
	if f.Response != nil {
		if t, err := http.ParseTime(f.Response.Header.Get("Date")); err == nil {
			at = t
		}
	}
	if len(before) > 0 && at.Before(before[len(before)-1].Times.Start) {
		at = before[len(before)-1].Times.Start
	}
	if !at.IsZero() {
		f.Times.Start, f.Times.End = at.UTC(), at.UTC()
	}
}
