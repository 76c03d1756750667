package redact

import (
	"strings"
)

// Bounds of how far around a sign the text is looked at, in bytes.
const (
	maxValue = 16 << 10
	maxTag   = 512
)

// find finds secrets in text of any kind by what stands before and around them:
// name=value, name: value, "name":"value", <name>value<, form fields and meta
// elements in HTML, scheme words, user:password@ in URLs, and what is a secret by its form. One pass.
func (m *Masker) find(s string) spanList {
	var list spanList
	for i := 0; i < len(s); i++ {
		var got spanList
		switch c := s[i]; {
		case c == '=' || c == ':':
			got = m.named(s, i)
		case c == '>':
			got = m.element(s, i)
		case !starts[c] || i > 0 && (isWordByte(s[i-1]) || s[i-1] == '-'):
			continue
		default:
			got = m.shaped(s, i)
		}
		if len(got) > 0 {
			list = append(list, got...)
			i = max(i, got[len(got)-1].end-1)
		}
	}
	return list
}

// starts are the bytes with which secrets begin that are told by their form.
var starts = func() (is [256]bool) {
	for c := range is {
		is[c] = len(issuedBy[c]) > 0
	}
	for _, c := range []byte("eBb-23456") { // a token, a scheme, a private key, the number of a card
		is[c] = true
	}
	return is
}()

// shaped finds a secret that begins at i by its form.
func (m *Masker) shaped(s string, i int) spanList {
	rest := s[i:]
	if rest[0] >= '2' && rest[0] <= '6' {
		if n := cardAt(rest); n > 0 && (i == 0 || s[i-1] != '.' && s[i-1] != '+') { // no fraction, no telephone number
			return spanList{{start: i, end: i + n, of: m.add(rest[:n], "card number")}}
		}
		return nil
	}
	if n, _ := jwtAt(rest); n > 0 {
		return m.value(s, i, i+n, "text", false)
	}
	if n := issuedAt(rest); n > 0 {
		return m.value(s, i, i+n, "text", false)
	}
	if strings.HasPrefix(rest, "-----BEGIN ") {
		head, _, _ := strings.Cut(rest[:min(len(rest), 64)], "\n")
		if end := strings.Index(rest[:min(len(rest), maxValue)], "-----END "); end > 0 && strings.Contains(head, "PRIVATE KEY") {
			start := i + strings.Index(rest[11:], "-----") + 11 + 5
			if start < i+end {
				return spanList{{start: start, end: i + end, of: m.add(s[start:i+end], "private key")}}
			}
		}
		return nil
	}
	for _, scheme := range []string{"bearer", "basic"} {
		if len(rest) < len(scheme)+9 || !strings.EqualFold(rest[:len(scheme)], scheme) || rest[len(scheme)] != ' ' && rest[len(scheme)] != '\t' {
			continue
		}
		start := i + len(scheme) + 1
		end := tokenEnd(s, start)
		v := s[start:end]
		if strings.Contains(strings.TrimRight(v, "="), "=") || strings.HasSuffix(v, "=") && end < len(s) && s[end] == '"' {
			return nil // a parameter of a challenge
		}
		if len(v) >= 8 && credible("", v) {
			if scheme == "basic" {
				m.pairOf(v)
			}
			return m.value(s, start, end, "credentials", false)
		}
	}
	return nil
}

// named finds the value behind "name=" or "name:", of which the sign stands at i.
func (m *Masker) named(s string, i int) spanList {
	if strings.HasPrefix(s[i:], "://") {
		return m.userinfo(s, i+3)
	}
	name, before := nameBefore(s, i)
	if name == "" {
		return nil
	}
	low := len(name) <= 10 && isLower(name)
	if low && (name == "name" || name == "id" || name == "property" || name == "key" || name == "Name") {
		return m.besides(s, i)
	}
	inQuery := before > 0 && (s[before-1] == '?' || s[before-1] == '&' || s[before-1] == '#' || strings.HasSuffix(s[:before], "&amp;"))
	switch strings.ToLower(name) {
	case "cookie", "set-cookie":
		return m.cookieLine(s, i, len(name) == 6)
	case "authorization", "proxy-authorization", "x-authorization":
		start, end := valueAfter(s, i, true)
		return m.credentials(s[start:end], "header "+name).shift(start)
	}
	if !isSecret(name) && !(inQuery && isSecretParameter(name)) {
		return nil
	}
	if list := m.array(s, i, name); list != nil {
		return list
	}
	start, end := valueAfter(s, i, false)
	if v := s[start:end]; !credible(name, v) {
		return nil
	}
	return m.value(s, start, end, "field "+name, true)
}

func isLower(s string) bool { return s == strings.ToLower(s) }

// nameBefore is the name that ends before the sign at i, a quote and blanks between allowed, and where it begins.
func nameBefore(s string, i int) (string, int) {
	end := i
	for end > 0 && end > i-3 && (s[end-1] == ' ' || s[end-1] == '\t') {
		end--
	}
	if end > 0 && (s[end-1] == '"' || s[end-1] == '\'') {
		for end--; end > 0 && end > i-8 && s[end-1] == '\\'; {
			end--
		}
	} else if strings.HasSuffix(s[:end], "&quot;") {
		end -= len("&quot;")
	}
	start := end
	for start > 0 && end-start < maxName && (isWordByte(s[start-1]) || s[start-1] == '-' || s[start-1] == '.' || s[start-1] == '[' || s[start-1] == ']' || s[start-1] == '$') {
		start--
	}
	return s[start:end], start
}

// valueAfter is where the value behind the sign at i stands: between quotes, else up to what ends a word or, with line, up to the end of the line.
func valueAfter(s string, i int, line bool) (start, end int) {
	start = i + 1
	for start < len(s) && start < i+8 && (s[start] == ' ' || s[start] == '\t' || s[start] == '>') {
		start++
	}
	limit := min(len(s), start+maxValue)
	slashes := start
	for slashes < limit && s[slashes] == '\\' {
		slashes++
	}
	if slashes < limit && (s[slashes] == '"' || s[slashes] == '\'') {
		quote := s[start : slashes+1] // \" inside a JSON string
		start = slashes + 1
		for end = start; end < limit; end++ {
			if strings.HasPrefix(s[end:], quote) {
				return start, end
			}
			if s[end] == '\n' && !line {
				return start, end
			}
			if s[end] == '\\' {
				end++
			}
		}
		return start, min(end, limit)
	}
	if strings.HasPrefix(s[start:], "&quot;") {
		start += len("&quot;")
		if n := strings.Index(s[start:limit], "&quot;"); n >= 0 {
			return start, start + n
		}
	}
	stop := " \t\r\n\"'`<>&;,)]}|\\"
	if line {
		stop = "\r\n\"'`<>\\"
	}
	if n := strings.IndexAny(s[start:limit], stop); n >= 0 {
		return start, start + n
	}
	return start, limit
}

// array finds the strings of an array of secrets behind the sign at i; nil when there is none.
func (m *Masker) array(s string, i int, name string) spanList {
	at := i + 1
	for at < len(s) && at < i+8 && (s[at] == ' ' || s[at] == '\n') {
		at++
	}
	if at >= len(s) || s[at] != '[' {
		return nil
	}
	list := spanList{}
	limit := min(len(s), at+maxValue)
	for at++; at < limit && s[at] != ']'; at++ {
		if c := s[at]; c <= ' ' || c == ',' {
			continue
		} else if c != '"' {
			break
		}
		start, end := valueAfter(s, at-1, false)
		if start != at+1 {
			break
		}
		if credible(name, s[start:end]) {
			list = append(list, m.value(s, start, end, "field "+name, true)...)
		}
		at = end
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// besides finds the value that stands in the same tag or object as name="csrf_token", of which the sign stands at i.
func (m *Masker) besides(s string, i int) spanList {
	start, end := valueAfter(s, i, false)
	name := s[start:end]
	if len(name) > maxName || !isSecret(name) {
		return nil
	}
	from := max(0, i-maxTag)
	if open := strings.LastIndexAny(s[from:i], "<{"); open >= 0 {
		from += open
	} else {
		return nil
	}
	to := min(len(s), end+maxTag)
	if shut := strings.IndexAny(s[end:to], ">}"); shut >= 0 {
		to = end + shut
	}
	for at := from; at < to; at++ {
		if s[at] != '=' && s[at] != ':' {
			continue
		}
		switch word, _ := nameBefore(s, at); strings.ToLower(word) {
		case "value", "content", "val", "data-value":
			start, end := valueAfter(s, at, false)
			v := s[start:end]
			if scheme, rest, ok := strings.Cut(v, " "); ok && isScheme(scheme) && rest != "" {
				return m.credentials(v, "field "+name).shift(start)
			}
			if credible(name, v) {
				return m.value(s, start, end, "field "+name, true)
			}
			return nil
		}
	}
	return nil
}

// element finds the text of <name>value<, of which the first > stands at i.
func (m *Masker) element(s string, i int) spanList {
	from := max(0, i-256)
	open := strings.LastIndexByte(s[from:i], '<')
	if open < 0 {
		return nil
	}
	tag := s[from+open+1 : i]
	if tag == "" || tag[0] == '/' || tag[0] == '!' || tag[0] == '?' || strings.HasSuffix(tag, "/") {
		return nil
	}
	name, _, _ := strings.Cut(tag, " ")
	if len(name) > maxName || !isSecret(name) {
		return nil
	}
	limit := min(len(s), i+1+maxValue)
	n := strings.IndexByte(s[i+1:limit], '<')
	if n < 0 {
		return nil
	}
	v := strings.TrimSpace(s[i+1 : i+1+n])
	if !credible(name, v) {
		return nil
	}
	start := i + 1 + strings.Index(s[i+1:i+1+n], v)
	return m.value(s, start, start+len(v), "element "+name, true)
}

// cookieLine finds the values in a line such as a log has: Cookie: a=b; c=d.
func (m *Masker) cookieLine(s string, i int, request bool) spanList {
	if !strings.Contains(s[i:min(len(s), i+maxTag)], "=") {
		return nil
	}
	start, end := valueAfter(s, i, true)
	if !strings.Contains(s[start:end], "=") {
		return nil
	}
	if request {
		return m.cookies(s[start:end], start)
	}
	return m.setCookie(s[start:end], start)
}

// userinfo finds the password, or the token, before the @ of a URL whose authority begins at i.
func (m *Masker) userinfo(s string, i int) spanList {
	end := i
	for end < len(s) && end-i < 1024 && s[end] != '@' {
		if c := s[end]; c <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '\'' || c == '<' || c == '>' {
			return nil
		}
		end++
	}
	if end == len(s) || end-i >= 1024 {
		return nil
	}
	if colon := strings.IndexByte(s[i:end], ':'); colon >= 0 {
		if end-i-colon > 1 {
			return m.value(s, i+colon+1, end, "password in a URL", true)
		}
		end = i + colon
	}
	if end-i >= 16 {
		return m.value(s, i, end, "user in a URL", true)
	}
	return nil
}
