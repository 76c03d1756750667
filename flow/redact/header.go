package redact

import (
	"encoding/base64"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// field finds the secrets in the value of a header field.
func (m *Masker) field(name, v string) []span {
	switch n := strings.ToLower(name); {
	case n == "authorization" || n == "proxy-authorization" || n == "x-authorization" || n == "x-original-authorization" || n == "x-amzn-remapped-authorization":
		return m.credentials(v, "header "+name)
	case n == "cookie":
		return append(m.cookies(v, 0), m.find(v)...)
	case n == "set-cookie":
		return append(m.setCookie(v, 0), m.find(v)...)
	case isURLField(n):
		return m.url(v)
	case isSecretField(name):
		if i := strings.IndexByte(v, ' '); i > 0 && isScheme(v[:i]) {
			return m.credentials(v, "header "+name)
		}
		return append(m.value(v, 0, len(v), "header "+name, true), m.find(v)...)
	case !isOpenField(name) && len(v) >= 20 && looksSecret(v):
		return m.value(v, 0, len(v), "header "+name, false)
	}
	return m.find(v)
}

// isScheme: the schemes of the IANA registry, and words that are used like them.
func isScheme(w string) bool {
	switch strings.ToLower(strings.TrimSuffix(w, ":")) {
	case "basic", "bearer", "digest", "dpop", "gnap", "hoba", "mutual", "negotiate", "ntlm", "oauth", "privatetoken", "scram-sha-1", "scram-sha-256", "vapid",
		"token", "apikey", "api-key", "jwt", "hawk", "aws", "aws4-hmac-sha256", "hmac", "signature", "sharedkey", "sharedaccesssignature", "key", "kerberos", "splunk", "bot", "sso-key", "genie-key", "goog4-rsa-sha256":
		return true
	}
	return false
}

// openParams are parameters of credentials that say who and how, not the secret.
var openParams = set(`username realm nonce cnonce opaque uri algorithm qop nc userhash keyid signedheaders headers created expires version oauth_version oauth_nonce oauth_timestamp oauth_signature_method
	oauth_consumer_key oauth_callback client device deviceid sv sr se skn ts ext app dlg id alg zat`)

// credentials finds the secrets in what an Authorization field says: the scheme stays.
func (m *Masker) credentials(v, about string) spanList {
	at := 0
	scheme := ""
	for {
		for at < len(v) && v[at] == ' ' || at < len(v) && v[at] == '\t' {
			at++
		}
		word := v[at:]
		end := strings.IndexAny(word, " \t")
		if end < 0 {
			if isScheme(word) {
				return nil // nothing follows it
			}
			break
		}
		if !isScheme(word[:end]) && (scheme != "" || !isUnknownScheme(word[:end])) {
			break
		}
		scheme = strings.ToLower(strings.TrimSuffix(word[:end], ":"))
		at += end
	}
	end := len(strings.TrimRight(v, " \t\r\n"))
	if at >= end {
		return nil
	}
	if list, ok := m.params(v, at, end, about); ok {
		return list
	}
	m.pairOf(v[at:end])
	return m.value(v, at, end, about, false)
}

// isUnknownScheme: a short word that is no credential itself.
func isUnknownScheme(w string) bool {
	return len(w) <= 24 && !looksSecret(w) && strings.Trim(strings.ToLower(w), "abcdefghijklmnopqrstuvwxyz-_0123456789:") == "" && strings.Trim(w, "0123456789") != ""
}

// pairOf makes the password known that Basic credentials hold (RFC 7617), and the whole pair.
func (m *Masker) pairOf(b64 string) {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(b64, "="))
	if err != nil {
		return
	}
	if _, password, ok := strings.Cut(string(text), ":"); ok && password != "" {
		m.add(password, "password of Basic credentials")
		m.add(string(text), "user and password")
	}
}

// params finds the secrets among the parameters of credentials (Digest, OAuth, AWS, HTTP signatures …); ok is false when there are none.
func (m *Masker) params(v string, at, end int, about string) (list spanList, ok bool) {
	for at < end {
		for at < end && (v[at] == ' ' || v[at] == ',' || v[at] == '&') {
			at++
		}
		eq := at
		for eq < end && (isWordByte(v[eq]) || v[eq] == '-') {
			eq++
		}
		if eq == at || eq+1 >= end || v[eq] != '=' || v[eq+1] == '=' {
			return list, ok && at >= end
		}
		from := eq + 1
		to := from
		if v[from] == '"' {
			for to++; to < end && v[to] != '"'; to++ {
				if v[to] == '\\' {
					to++
				}
			}
			to = min(to+1, end)
		} else {
			for to < end && v[to] != ',' && v[to] != ' ' && v[to] != '&' {
				to++
			}
		}
		name := v[at:eq]
		ok = true
		switch low := strings.ToLower(name); {
		case low == "credential": // the key's id; date, region and service are worth reading
			if slash := strings.IndexByte(v[from:to], '/'); slash > 0 {
				list = append(list, m.value(v, from, from+slash, about+", access key", false)...)
			}
		case !openParams[low]:
			list = append(list, m.value(v, from, to, about+", "+name, true)...)
		}
		at = to
	}
	return list, ok
}

// cookies finds the values of the cookies in a Cookie field that stands at by in its text.
func (m *Masker) cookies(v string, by int) spanList {
	var list spanList
	for _, c := range decode.Cookies(flow.Header{{Name: "Cookie", Value: v}}) {
		end := c.End
		list = append(list, m.cookie(v, end-len(c.Value), end, c.Name)...)
	}
	return list.shift(by)
}

func (m *Masker) cookie(v string, start, end int, name string) spanList {
	return m.value(v, start, end, strings.TrimSpace("cookie "+name), true)
}

// setCookie finds the value in a Set-Cookie field; its attributes stay.
func (m *Masker) setCookie(v string, by int) spanList {
	pair, _, _ := strings.Cut(v, ";")
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		name, value = "", pair
	}
	end := len(strings.TrimRight(pair, " \t"))
	start := len(pair) - len(value)
	for start < end && (v[start] == ' ' || v[start] == '\t') {
		start++
	}
	return m.cookie(v, start, end, strings.TrimSpace(name)).shift(by)
}

// header is a masked copy of the fields. fix may change a field or drop it first.
func (m *Masker) header(h flow.Header, fix func(name, value string) (string, bool)) flow.Header {
	if h == nil {
		return nil
	}
	masked := make(flow.Header, 0, len(h))
	for _, f := range h {
		v, keep := fix(f.Name, f.Value)
		if !keep {
			continue
		}
		g := flow.Field{Name: m.replace(f.Name, nil), Value: m.replace(v, m.field(f.Name, v))}
		if f.Raw != "" {
			g.Raw = m.lines(f.Raw, fix)
		}
		masked = append(masked, g)
	}
	return masked
}

// lines masks header fields as they stand on an HTTP/1 connection, folded lines by the name that they belong to.
func (m *Masker) lines(s string, fix func(name, value string) (string, bool)) string {
	var b strings.Builder
	name, keep := "", true
	for line := range strings.SplitAfterSeq(s, "\n") {
		text := strings.TrimRight(line, "\r\n")
		v := text
		if text != "" && text[0] != ' ' && text[0] != '\t' {
			colon := strings.IndexByte(text, ':')
			if colon < 0 {
				b.WriteString(m.replace(text, m.find(text)) + line[len(text):])
				continue
			}
			name, v = strings.TrimSpace(text[:colon]), text[colon+1:]
		}
		v = strings.TrimLeft(v, " \t")
		start := len(text) - len(v)
		v = strings.TrimRight(v, " \t")
		end := start + len(v)
		if text == "" {
			keep = true
		} else if start > 0 && text[0] != ' ' && text[0] != '\t' {
			v, keep = fix(name, v)
		}
		if keep {
			b.WriteString(m.replace(text[:start], nil) + m.replace(v, m.field(name, v)) + text[end:] + line[len(text):])
		}
	}
	return b.String()
}
