package decode

import (
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

// Cookie is one cookie that a client sent.
type Cookie struct {
	Name, Value string // verbatim, quotes included
	// Field is the index in the header of the Cookie field; the pair stands at
	// its Value[Start:End].
	Field, Start, End int
}

// Cookies are the cookies of a request in the order sent, duplicates included
// (RFC 6265, 4.2). HTTP/2 may split them over several fields (RFC 9113, 8.2.3);
// they are read on as if joined. A piece without "=" is a cookie without a name, as
// browsers send it.
func Cookies(h flow.Header) []Cookie {
	var list []Cookie
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Cookie") {
			continue
		}
		v := h[i].Value
		for at := 0; at <= len(v); {
			end := len(v)
			if j := strings.IndexByte(v[at:], ';'); j >= 0 {
				end = at + j
			}
			next := end + 1
			from := at
			for from < end && (v[from] == ' ' || v[from] == '\t') {
				from++
			}
			to := end
			for to > from && (v[to-1] == ' ' || v[to-1] == '\t') {
				to--
			}
			if from < to {
				c := Cookie{Field: i, Start: from, End: to}
				if name, value, ok := strings.Cut(v[from:to], "="); ok {
					c.Name, c.Value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
				} else {
					c.Value = v[from:to]
				}
				list = append(list, c)
			}
			at = next
		}
	}
	return list
}

// CookieValue is the value of the first cookie called name, case respected.
func CookieValue(h flow.Header, name string) (string, bool) {
	for _, c := range Cookies(h) {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

// SetCookie is one cookie that a server set (RFC 6265, 5.2).
type SetCookie struct {
	Name, Value string
	Path        string
	Domain      string    // without a leading dot, lower case
	Expires     time.Time // zero: none, or none that can be read
	MaxAge      *int64    // seconds; nil: none
	Secure      bool
	HTTPOnly    bool
	Partitioned bool
	SameSite    string // as spelled, "" when absent
	Field       int    // index of its field in the header
}

// SetCookies are the cookies that a response set, in order.
func SetCookies(h flow.Header) []SetCookie {
	var list []SetCookie
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Set-Cookie") {
			continue
		}
		if c, ok := ParseSetCookie(h[i].Value); ok {
			c.Field = i
			list = append(list, c)
		}
	}
	return list
}

// ParseSetCookie reads one Set-Cookie value the way RFC 6265, 5.2 tells clients to.
func ParseSetCookie(v string) (SetCookie, bool) {
	pair, attrs, _ := strings.Cut(v, ";")
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		name, value = "", pair
	}
	c := SetCookie{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
	if c.Name == "" && c.Value == "" {
		return c, false
	}
	for attrs != "" {
		var a string
		a, attrs, _ = strings.Cut(attrs, ";")
		key, val, _ := strings.Cut(a, "=")
		val = strings.TrimSpace(val)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "path":
			c.Path = val
		case "domain":
			c.Domain = strings.ToLower(strings.TrimPrefix(val, "."))
		case "expires":
			if t, ok := cookieDate(val); ok {
				c.Expires = t
			}
		case "max-age":
			if n, err := strconv.ParseInt(val, 10, 64); err == nil {
				c.MaxAge = &n
			}
		case "secure":
			c.Secure = true
		case "httponly":
			c.HTTPOnly = true
		case "partitioned":
			c.Partitioned = true
		case "samesite":
			c.SameSite = val
		}
	}
	return c, true
}

// Deletes reports whether the cookie was set in order to be deleted, at time now
// of the server: Max-Age wins over Expires (RFC 6265, 5.3).
func (c SetCookie) Deletes(now time.Time) bool {
	end, ok := c.End(now)
	return ok && !end.After(now)
}

// End is when a cookie set at now ends; ok is false for one that lasts as long as the browser.
func (c SetCookie) End(now time.Time) (time.Time, bool) {
	const century = 100 * 365 * 24 * 3600 // seconds; more would overflow a Duration
	switch {
	case c.MaxAge != nil:
		return now.Add(time.Duration(max(-1, min(*c.MaxAge, century))) * time.Second), true
	case !c.Expires.IsZero():
		return c.Expires, true
	}
	return time.Time{}, false
}

// cookieDate reads the date forms that servers really send.
func cookieDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC1123, "Mon, 02-Jan-2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 MST", time.RFC850, time.ANSIC, "Mon, 02-Jan-06 15:04:05 MST", time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
