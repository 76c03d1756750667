package vendors

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

func TestTextAtMost(t *testing.T) {
	for page, want := range map[string]bool{
		"": true,
		"<html><head><style>" + strings.Repeat("a{b:c} ", 900) + "</style></head><body><h1>blocked</h1></body>": true,
		"<script>" + strings.Repeat("if (a < b) f();", 900) + "</script><p>blocked</p>":                         true,
		"<!-- " + strings.Repeat("a note > ", 900) + "--><p>blocked</p>":                                        true,
		"<p>blocked</p>" + strings.Repeat(" \n", 4000):                                                          true,
		"<p>" + strings.Repeat("lorem ipsum ", 300) + "</p>":                                                    false,
		strings.Repeat("<p>lorem</p>", 900):                                                                     false,
		"<script>never ends":                                                                                    true,
		"a < b":                                                                                                 true,
	} {
		if got := textAtMost(page, maxNotice); got != want {
			t.Errorf("%.60s: %v, want %v", page, got, want)
		}
	}
}

// TestNoRefusalInArticles shows every page that the files know, cited in an
// article, a script, and a long document.
func TestNoRefusalInArticles(t *testing.T) {
	var all strings.Builder
	for _, v := range All() {
		for _, s := range v.Decisions {
			for _, c := range s.Conds {
				if c.Kind == "body" && c.Op == "has" && !c.Not {
					all.WriteString("<p>" + strings.Join(c.Values, "</p>\n<p>") + "</p>\n")
				}
			}
		}
	}
	for ct, wrap := range map[string][2]string{
		"text/html; charset=utf-8":   {"<!doctype html><title>How they block</title><h1>How they block</h1>" + strings.Repeat("<p>It was a dark and stormy night.</p>", 100), ""},
		"application/javascript":     {"var pages = `", "`"},
		"text/plain":                 {strings.Repeat("It was a dark and stormy night. ", 100), ""},
		"application/json":           {`{"article":"` + strings.Repeat("It was a dark and stormy night. ", 100), `"}`},
		"text/css":                   {"/* ", " */"},
		"application/xhtml+xml":      {"<html><body>" + strings.Repeat("<p>It was a dark and stormy night.</p>", 100), "</body></html>"},
		"application/x-unknown-text": {strings.Repeat("It was a dark and stormy night. ", 100), ""},
	} {
		body := wrap[0] + all.String() + wrap[1]
		// In pieces, so that every phrase is within what is looked at.
		for len(body) > 0 {
			n := min(len(body), 40<<10)
			piece := wrap[0] + body[:n] + wrap[1]
			body = body[n:]
			for _, status := range []int{200, 201, 206} {
				x := &Exchange{Body: piece, Lower: Lower(piece), JSON: func(string) []string { return nil },
					Response: &flow.Message{Status: status, Header: flow.Header{{Name: "Content-Type", Value: ct}}}, Request: &flow.Message{Method: "GET"}}
				for _, h := range Decisions(x, false) {
					t.Errorf("%s %d: %s finds %s: %v", ct, status, h.Vendor.ID, h.Cause, h.Quotes)
				}
			}
		}
	}
}
