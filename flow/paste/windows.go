package paste

import (
	"errors"
	"strings"
)

// looksCmd reports whether a command is written for cmd.exe, looksPowerShell for PowerShell.
func looksCmd(s string) bool {
	return strings.Contains(s, `^"`) || strings.Contains(s, " ^\n") || strings.Contains(s, " ^\r\n")
}

func looksPowerShell(s string) bool {
	return strings.Contains(s, " `\n") || strings.Contains(s, " `\r\n") || strings.Contains(s, "`\"")
}

// cmd reads a command line of cmd.exe: first its carets, then the arguments as
// the C runtime splits them (Microsoft, "Parsing C command-line arguments").
func cmd(text string) (*found, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '^' && !quoted && i+1 < len(text):
			i++
			switch {
			case text[i] != '\n':
				b.WriteByte(text[i])
			case i+1 < len(text) && text[i+1] == '\n':
				b.WriteByte('\n') // a joined line, and the line break that is meant
				i++
			}
		case c == '%' && strings.HasPrefix(text[i+1:], "^"):
			b.WriteByte('%') // %^NAME keeps cmd from filling a variable in
			i++
		case c == '"':
			quoted = !quoted
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	words, err := arguments(b.String())
	if err != nil {
		return nil, err
	}
	return pick(words)
}

// arguments splits as the C runtime does: 2n backslashes and a quote are n backslashes
// and the quote's meaning, 2n+1 are n and a quote.
func arguments(s string) ([]string, error) {
	var words []string
	var b strings.Builder
	in, quoted := false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			n := 0
			for i+n < len(s) && s[i+n] == '\\' {
				n++
			}
			in = true
			if i+n < len(s) && s[i+n] == '"' {
				b.WriteString(strings.Repeat(`\`, n/2))
				i += n - 1
				if n%2 == 1 {
					b.WriteByte('"')
					i++
				}
				continue
			}
			b.WriteString(s[i : i+n])
			i += n - 1
		case c == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case c == '"':
			quoted, in = !quoted, true
		case !quoted && (c == ' ' || c == '\t' || c == '\n'):
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if quoted {
		return nil, errors.New("a quote \" is not closed")
	}
	if in {
		words = append(words, b.String())
	}
	return words, nil
}

// powershell reads a command line of PowerShell: a backtick escapes, a doubled quote is one.
func powershell(text string, warn func(string)) (*found, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var words []string
	var b strings.Builder
	in := false
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '`' && quote != '\'' && i+1 < len(text):
			i++
			switch text[i] {
			case '\n':
				if quote != 0 {
					b.WriteByte('\n')
				}
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case '0':
				b.WriteByte(0)
			default:
				b.WriteByte(text[i])
			}
			in = in || text[i] != '\n'
		case quote == 0 && (c == '\'' || c == '"'):
			quote, in = c, true
		case c == quote && i+1 < len(text) && text[i+1] == quote:
			b.WriteByte(c)
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			if c == '$' && quote != '\'' && i+1 < len(text) && (text[i+1] == '(' || text[i+1] >= 'a' && text[i+1] <= 'z') {
				warn("a variable of PowerShell stays as it is written")
			}
			b.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote " + string(quote) + " is not closed")
	}
	if in {
		words = append(words, b.String())
	}
	// Windows PowerShell needs \" for a quote inside an argument of a program.
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], `\"`, `"`)
	}
	return pick(words)
}

// pick finds the curl command among words.
func pick(words []string) (*found, error) {
	for i, w := range words {
		if w = w[strings.LastIndexAny(w, `/\`)+1:]; w == "curl" || w == "curl.exe" {
			return &found{args: words[i+1:]}, nil
		}
	}
	return nil, ErrNothing
}
