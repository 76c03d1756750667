package curl

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes s as one word of a POSIX shell: bare where that is safe, else in
// single quotes, in which nothing but the quote itself has a meaning. The form
// is the same in sh, dash, bash and zsh. s must hold no NUL.
func Quote(s string) string { return quote(s, nil) }

// QuoteWith is Quote with names of shell variables: see Options.Variables.
func QuoteWith(s string, variables map[string]string) string { return quote(s, variables) }

// quote is Quote with names of shell variables: "$NAME" in s is left for the
// shell to fill in. Bytes that are no UTF-8 and control characters go by way of
// printf, so that the command survives a clipboard; quotes alone would keep
// them as well.
func quote(s string, variables map[string]string) string {
	if s == "" {
		return "''"
	}
	var b strings.Builder
	literal := func(t string) {
		if t == "" {
			return
		}
		if strings.Trim(t, bare) == "" && (b.Len() > 0 || t[0] != '~' && t[0] != '=') {
			b.WriteString(t)
			return
		}
		b.WriteString("'" + strings.ReplaceAll(t, "'", `'\''`) + "'")
	}
	start := 0
	for i := 0; i < len(s); {
		if name := variableAt(s[i:], variables); name != "" {
			literal(s[start:i])
			b.WriteString(`"$` + name + `"`)
			i += 1 + len(name)
			start = i
			continue
		}
		if n := rawBytes(s[i:]); n > 0 {
			literal(s[start:i])
			b.WriteString(`"$(printf '`)
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			b.WriteString(`')"`)
			i += n
			start = i
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	literal(s[start:])
	return b.String()
}

// bare are the characters that mean nothing to any of the shells, wherever they stand in a word.
const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,"

// variableAt is the name of a variable that s begins with ("$NAME" and no further letter of a name).
func variableAt(s string, variables map[string]string) string {
	if len(variables) == 0 || s[0] != '$' {
		return ""
	}
	end := 1
	for end < len(s) && (s[end] == '_' || s[end] >= 'A' && s[end] <= 'Z' || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	if _, known := variables[s[1:end]]; known {
		return s[1:end]
	}
	return ""
}

// rawBytes is the length of what at the start of s is better not pasted as it is.
func rawBytes(s string) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !(r == utf8.RuneError && size == 1) && !hidden(r) {
			break
		}
		n += size
	}
	return n
}

// hidden reports whether a terminal or an editor would not show r, or act on it.
func hidden(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}
