package inspect

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// errorKeys are looked at first in an error document, in this order.
var errorKeys = []string{"error", "errors", "code", "type", "reason", "message", "error_description", "detail", "details", "title", "msg", "description"}

func orderedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	rank := func(k string) int {
		if i := slices.Index(errorKeys, strings.ToLower(k)); i >= 0 {
			return i
		}
		return len(errorKeys)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// challengeParam is a parameter of an authentication challenge (RFC 9110,
// 11.3), quoted or a token. Only the first of that name is found.
func challengeParam(v, name string) (string, bool) {
	low := strings.ToLower(v)
	for from := 0; ; {
		i := strings.Index(low[from:], name+"=")
		if i < 0 {
			return "", false
		}
		i += from
		from = i + len(name)
		if i > 0 && !strings.ContainsRune(" ,\t", rune(v[i-1])) {
			continue
		}
		rest := v[i+len(name)+1:]
		if strings.HasPrefix(rest, `"`) {
			rest = rest[1:]
			if e := strings.IndexByte(rest, '"'); e >= 0 {
				return rest[:e], true
			}
			return rest, true
		}
		if e := strings.IndexAny(rest, ", \t"); e >= 0 {
			rest = rest[:e]
		}
		return rest, true
	}
}

func percentDecode(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// clip is s in at most n bytes, for a sentence; a cut shows.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// equalFold reports whether s is one of list, without regard to case.
func equalFold(s string, list ...string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(s, l) })
}

func itoa(n int) string { return strconv.Itoa(n) }
