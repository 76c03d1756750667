package redact

import (
	"math"
	"strings"

	"github.com/why403/why403/flow/decode"
)

// issued are the beginnings by which issuers mark what they issue, with the least length of the whole.
var issued = []struct {
	start string
	least int
}{
	{"ghp_", 20}, {"gho_", 20}, {"ghu_", 20}, {"ghs_", 20}, {"ghr_", 20}, {"github_pat_", 30}, {"glpat-", 20}, {"gldt-", 20}, {"glrt-", 20},
	{"sk-", 20}, {"sk_live_", 16}, {"sk_test_", 16}, {"rk_live_", 16}, {"rk_test_", 16}, {"whsec_", 16}, {"xoxb-", 16}, {"xoxp-", 16}, {"xoxa-", 16}, {"xoxs-", 16}, {"xapp-", 16},
	{"AKIA", 20}, {"ASIA", 20}, {"AIza", 35}, {"ya29.", 20}, {"npm_", 30}, {"pypi-", 30}, {"hf_", 20}, {"dop_v1_", 30}, {"SG.", 30}, {"shpat_", 30}, {"hvs.", 20}, {"EAACEd", 20},
	{"WHY403_SECRET_", 15}, // as if it were a secret, so that a mask is never taken for one that somebody wrote
}

// issuedBy are the positions in issued by first byte.
var issuedBy = func() (by [256][]int) {
	for i, k := range issued {
		by[k.start[0]] = append(by[k.start[0]], i)
	}
	return by
}()

// tokenEnd is where the run of characters of tokens that begins at from ends.
func tokenEnd(s string, from int) int {
	i := from
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return i
}

// isTokenByte: the characters of base64 in both alphabets, of base62, and "." and "~".
func isTokenByte(c byte) bool {
	return isWordByte(c) || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '='
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// issuedAt is the length of a secret of a known issuer at the beginning of s, 0 if there is none.
func issuedAt(s string) int {
	if len(s) < 15 {
		return 0
	}
	for _, i := range issuedBy[s[0]] {
		k := &issued[i]
		if !strings.HasPrefix(s, k.start) {
			continue
		}
		n := len(k.start)
		for n < len(s) && (isWordByte(s[n]) || s[n] == '-' || s[n] == '.' && (k.start == "SG." || k.start == "ya29." || k.start == "hvs.")) {
			n++
		}
		if n >= k.least && (k.start != "sk-" || strings.ContainsAny(s[:n], "0123456789")) {
			return n
		}
	}
	return 0
}

// jwtAt is the length of a token (RFC 7519) at the beginning of s and where its signature begins, 0 if there is none.
func jwtAt(s string) (n, sig int) {
	if !strings.HasPrefix(s, "eyJ") && !strings.HasPrefix(s, "ewo") {
		return 0, 0
	}
	for dots := 0; n < len(s) && dots < 3; n++ {
		if s[n] == '.' {
			dots++
		} else if !isWordByte(s[n]) && s[n] != '-' {
			break
		}
	}
	text := strings.TrimRight(s[:n], ".")
	if strings.Count(text, ".") == 1 && n > len(text) { // alg none
		text += "."
	}
	if _, ok := decode.JWT(text); !ok {
		return 0, 0
	}
	return len(text), strings.LastIndexByte(text, '.') + 1
}

// looksSecret reports whether v, which is one value on its own, is random
// enough to be a key or a token and is no UUID, date, number or name made of words.
func looksSecret(v string) bool {
	if n := issuedAt(v); n > 0 {
		return true
	}
	if n, _ := jwtAt(v); n > 0 {
		return true
	}
	if len(v) < 20 || len(v) > 4096 || isUUID(v) {
		return false
	}
	digits, letters, hex, turns, last := 0, 0, 0, 0, 0
	var count [256]int
	for i := range len(v) {
		c := v[i]
		if !isTokenByte(c) {
			return false
		}
		count[c]++
		class := 0
		switch {
		case c >= '0' && c <= '9':
			digits++
			class = 1
		case c >= 'a' && c <= 'z':
			letters++
			class = 2
		case c >= 'A' && c <= 'Z':
			letters++
			class = 3
		default:
			continue
		}
		if c <= '9' || c|0x20 <= 'f' {
			hex++
		}
		if last != 0 && class != last {
			turns++
		}
		last = class
	}
	switch {
	case digits < 2 || letters < 4 || turns < len(v)/6:
		return false
	case hex == len(v):
		return len(v) >= 32 && entropy(&count, len(v)) > 3
	}
	return entropy(&count, len(v)) > 3.4
}

func isUUID(v string) bool {
	return len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
}

// entropy is Shannon's, in bits a character.
func entropy(count *[256]int, n int) float64 {
	h := 0.0
	for _, c := range count {
		if c > 0 {
			p := float64(c) / float64(n)
			h -= p * math.Log2(p)
		}
	}
	return h
}

// trivial reports whether v stands where a secret should and is none: it shows what went wrong, so it stays.
func trivial(v string) bool {
	switch strings.ToLower(strings.Trim(v, `"' `)) {
	case "", "null", "undefined", "none", "nil", "nan", "true", "false", "[object object]", "bearer", "basic", "deleted", "expired", "invalid", "missing", "required", "incorrect", "wrong", "fetch", "unknown", "n/a":
		return true
	}
	return strings.Trim(v, "*xX•.") == "" || strings.HasPrefix(v, "{{") || strings.HasPrefix(v, "${") || strings.HasPrefix(v, "<")
}

// credible reports whether v, found in free text behind a name, is a secret and not a word about one ("token: expired").
func credible(name, v string) bool {
	if trivial(v) || len(v) < 4 || strings.ContainsAny(v, " \t") {
		return false
	}
	if isStrong(name) {
		return true
	}
	words := true
	for i := range len(v) {
		c := v[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.') {
			words = false
			break
		}
	}
	return !words || len(v) >= 24
}

// isShortKey reports whether a secret too short for the index is mixed so that as a word of its own it is hardly another thing.
func isShortKey(v string) bool {
	if len(v) < 4 || len(v) >= minSweep {
		return false
	}
	digits := 0
	for i := range len(v) {
		if !isLetterOrDigit(v[i]) {
			return false
		}
		if v[i] <= '9' {
			digits++
		}
	}
	return digits > 0 && len(v)-digits >= 2
}

// sweepable reports whether a secret is masked wherever it occurs, and not only
// where it was found: plain words and short numbers occur for other reasons.
func sweepable(v string) bool {
	if len(v) < minSweep || len(v) > maxSecret {
		return false
	}
	lower, upper, digit, other := 0, 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= '0' && c <= '9':
			digit++
		default:
			other++
		}
	}
	switch {
	case digit == len(v):
		return len(v) >= 10
	case lower+upper == len(v):
		return len(v) >= 16 || upper > 1 && lower > 1 && len(v) >= 8
	case digit == 0 && len(v) < 12: // words with separators
		return false
	}
	return true
}
