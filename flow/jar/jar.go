// Package jar finds, among recorded answers, the cookies that a client would send
// now, and gives a request those of the newest login instead of the ones it had.
//
// Everything here is pure, and reads headers and, of the request, the body.
package jar

import (
	"bytes"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Cookie is a cookie as an answer set it last.
type Cookie struct {
	Name, Value string
	From        flow.ID // the flow whose answer set it
	Gone        bool    // that answer deleted it
}

// maxCookies bounds what is gathered for one request (RFC 6265, 6.1 asks browsers for 50 a domain).
const maxCookies = 200

// Newest are the cookies that answers among flows set for f's host and path, each as
// the newest of them did, in the order of their names. Answers to f itself and to
// its replays count, for a login may be replayed; what ended before now does not.
func Newest(f *flow.Flow, flows []*flow.Flow, now time.Time) []Cookie {
	host, path, secure := hostOf(f.Authority), f.Path(), f.Scheme == "https"
	type found struct {
		Cookie
		at time.Time
	}
	best := map[string]found{}
	for _, g := range flows {
		if g == nil || g.Response == nil || g.Request == nil || g.Kind != flow.Exchange {
			continue
		}
		at := g.Times.End
		if at.IsZero() {
			at = g.Times.Start
		}
		from := hostOf(g.Authority)
		for _, c := range decode.SetCookies(g.Response.Header) {
			if !sentTo(c, from, g.Path(), host, path, secure) {
				continue
			}
			old, known := best[c.Name]
			if known && at.Before(old.at) || !known && len(best) == maxCookies {
				continue
			}
			gone := c.Deletes(at)
			if end, ok := c.End(at); ok && !gone && !now.IsZero() && !end.After(now) {
				continue
			}
			best[c.Name] = found{Cookie{Name: c.Name, Value: c.Value, From: g.ID, Gone: gone}, at}
		}
	}
	list := make([]Cookie, 0, len(best))
	for _, c := range best {
		list = append(list, c.Cookie)
	}
	slices.SortFunc(list, func(a, b Cookie) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// hostOf is the name of an authority, lower case, without port and brackets.
func hostOf(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		authority = host
	}
	return strings.ToLower(strings.Trim(authority, "[]"))
}

// sentTo reports whether a cookie that from set on fromPath is sent to a path of host (RFC 6265, 5.1.3, 5.1.4 and 5.4).
func sentTo(c decode.SetCookie, from, fromPath, host, path string, secure bool) bool {
	switch {
	case c.Domain == "" && host != from:
		return false
	case c.Domain != "" && (!below(from, c.Domain) || !below(host, c.Domain)):
		return false
	case c.Secure && !secure && !isLoopback(host): // browsers send them there, for loopback is trustworthy
		return false
	}
	at := c.Path
	if at == "" || at[0] != '/' {
		at = "/"
		if i := strings.LastIndexByte(fromPath, '/'); i > 0 {
			at = fromPath[:i]
		}
	}
	return path == at || strings.HasPrefix(path, at) && (strings.HasSuffix(at, "/") || strings.HasPrefix(path[len(at):], "/"))
}

// below reports whether host is domain or a name below it; an address has none below it.
func below(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain) && net.ParseIP(host) == nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// minTwin is the length in bytes from which on a value that stands elsewhere in a
// request is taken for the twin of a cookie (double submit), not for chance.
const minTwin = 8

// Refresh gives a copy of f's request with the newest cookies, and those that are other
// than f's. Cookies that no answer set stay as they are, one that was deleted since is
// taken out. Where the old value of a cookie stands in a header, the query, a form or JSON
// as well, as double submit wants it, the new one is written there, too.
func Refresh(f *flow.Flow, flows []*flow.Flow, now time.Time) (*flow.Message, []Cookie) {
	m := f.Request.Clone()
	var changed []Cookie
	for _, c := range Newest(f, flows, now) {
		old, had := decode.CookieValue(m.Header, c.Name)
		switch {
		case had && !c.Gone && old == c.Value, !had && c.Gone:
			continue
		case c.Gone:
			put(m, c.Name, nil)
		default:
			put(m, c.Name, &c.Value)
			if len(old) >= minTwin {
				replace(m, old, c.Value)
			}
		}
		changed = append(changed, c)
	}
	return m, changed
}

// put sets, adds or, with nil, removes a cookie; the others stay as they are written.
func put(m *flow.Message, name string, value *string) {
	for _, c := range slices.Backward(decode.Cookies(m.Header)) {
		if c.Name != name {
			continue
		}
		h := &m.Header[c.Field]
		before, after := h.Value[:c.Start], h.Value[c.End:]
		if value != nil {
			h.Value, h.Raw = before+name+"="+*value+after, ""
			continue
		}
		before, after = strings.TrimRight(before, " \t;"), strings.TrimLeft(after, " \t;")
		if before != "" && after != "" {
			before += "; "
		}
		if h.Value, h.Raw = before+after, ""; h.Value == "" {
			m.Header = slices.Delete(m.Header, c.Field, c.Field+1)
		}
	}
	if value == nil {
		return
	}
	if _, there := decode.CookieValue(m.Header, name); there {
		return
	}
	pair := name + "=" + *value
	if i := m.Header.Index("Cookie", 0); i >= 0 {
		h := &m.Header[i]
		h.Value, h.Raw = strings.TrimRight(h.Value, " \t;")+"; "+pair, ""
		return
	}
	name = "Cookie"
	if strings.HasPrefix(m.Proto, "HTTP/2") { // RFC 9113, 8.2
		name = "cookie"
	}
	m.Header = append(m.Header, flow.Field{Name: name, Value: pair})
}

// replace writes a new value for an old one wherever it stands outside of cookies.
func replace(m *flow.Message, old, value string) {
	forms := [][2]string{{old, value}}
	for _, escape := range []func(string) string{decode.EscapeForm, unescaped} {
		if was := escape(old); was != old && was != "" {
			forms = append(forms, [2]string{was, escape(value)})
		}
	}
	for _, form := range forms {
		m.Target = strings.ReplaceAll(m.Target, form[0], form[1])
		for i := range m.Header {
			if h := &m.Header[i]; !strings.EqualFold(h.Name, "Cookie") && strings.Contains(h.Value, form[0]) {
				h.Value, h.Raw = strings.ReplaceAll(h.Value, form[0], form[1]), ""
			}
		}
		if !bytes.Contains(m.Body.Data, []byte(form[0])) {
			continue
		}
		right := m.Header.Get("Content-Length") == itoa(len(m.Body.Data))
		m.SetBody(bytes.ReplaceAll(m.Body.Data, []byte(form[0]), []byte(form[1])))
		if right {
			m.Header.Set("Content-Length", itoa(len(m.Body.Data)))
		}
	}
}

// unescaped is a cookie's value without its percent escapes, as scripts read a
// token out of it (Laravel's XSRF-TOKEN, axios); "" when they are none.
func unescaped(s string) string {
	t, err := url.PathUnescape(s)
	if err != nil {
		return ""
	}
	return t
}

func itoa(n int) string { return strconv.Itoa(n) }
