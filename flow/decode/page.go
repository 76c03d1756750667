package decode

import (
	"strings"

	"golang.org/x/net/html"
)

// Page is a web page reduced to what a person reads first.
type Page struct {
	Title string
	Text  string // visible text, whitespace collapsed, blocks on lines of their own; at most maxPageText bytes
}

const (
	maxPageText  = 16 << 10
	maxPageInput = 1 << 20 // bytes of HTML looked at
)

// HTML reduces a page of UTF-8 text. What scripts would draw is not there, what stands in noscript is.
func HTML(text string) Page {
	z := html.NewTokenizer(strings.NewReader(text[:min(len(text), maxPageInput)]))
	var title, body strings.Builder
	hidden, inTitle := "", false
	for body.Len() < maxPageText {
		switch z.Next() {
		case html.ErrorToken:
			return Page{Title: collapse(title.String()), Text: lines(body.String())}
		case html.TextToken:
			switch {
			case hidden != "":
			case inTitle:
				title.Write(z.Text())
			default:
				body.WriteString(strings.Join(strings.Fields(string(z.Text())), " ") + " ")
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			switch tag := string(name); {
			case tag == "title":
				inTitle = title.Len() == 0
				if !inTitle && hidden == "" {
					hidden = tag
				}
			case hidden == "" && invisible(tag):
				hidden = tag
			case !inline(tag):
				body.WriteByte('\n')
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch tag := string(name); {
			case tag == hidden:
				hidden = ""
			case tag == "title":
				inTitle = false
			case !inline(tag):
				body.WriteByte('\n')
			}
		case html.SelfClosingTagToken:
			body.WriteByte('\n')
		}
	}
	return Page{Title: collapse(title.String()), Text: lines(body.String())}
}

func invisible(tag string) bool {
	switch tag {
	case "script", "style", "template", "svg", "object", "select":
		return true
	}
	return false
}

func inline(tag string) bool {
	switch tag {
	case "a", "b", "i", "em", "strong", "span", "code", "small", "font", "u", "abbr", "tt", "kbd", "label", "sub", "sup":
		return true
	}
	return false
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

// lines trims each line and drops empty ones.
func lines(s string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(l)
		}
	}
	out := b.String()
	if len(out) > maxPageText {
		out = strings.ToValidUTF8(out[:maxPageText], "")
	}
	return out
}
