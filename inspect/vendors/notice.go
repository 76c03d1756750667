package vendors

import "strings"

// Pages that refuse under a status of success say little else. Articles,
// documentation and chats that quote such a page say more.
const (
	maxNotice    = 3000 // bytes of text of a page, markup aside
	maxNoticeRaw = 1500 // bytes of any other body
)

// onBody reports whether the section rests on what a body says alone: not on a
// field, a log line or the value at a path of a JSON document.
func (s *Section) onBody() bool {
	body := false
	for _, c := range s.Conds {
		if c.Not {
			continue
		}
		switch c.Kind {
		case "header", "trailer", "json", "log":
			return false
		case "body", "title":
			body = true
		}
	}
	return body
}

// isNotice reports whether an accepted answer can be what a guard says in place
// of what was asked for.
func (x *Exchange) isNotice() bool {
	if st := x.Response.Status; st < 200 || st > 299 {
		return true
	}
	if x.cached.notice == 0 {
		x.cached.notice = -1
		if x.readsAsNotice() {
			x.cached.notice = 1
		}
	}
	return x.cached.notice > 0
}

// isData reports whether an accepted answer is a JSON document: what was asked
// for, and not the page of a guard.
func (x *Exchange) isData() bool {
	if st := x.Response.Status; st < 200 || st > 299 {
		return false
	}
	text := strings.TrimLeft(x.Body, " \t\r\n\ufeff)]}',") // a byte order mark, and what keeps a script from running it
	return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
}

// pageOnly reports whether a section is of the page of a guard: of a product
// that answers with pages, and with no text of its own form in JSON.
func (s *Section) pageOnly() bool { return relays[s.layer()] && !s.quotes }

func (x *Exchange) readsAsNotice() bool {
	ct := Lower(x.Response.Header.Get("Content-Type"))
	body := strings.TrimSpace(x.Body)
	switch {
	case strings.Contains(ct, "javascript") || strings.Contains(ct, "ecmascript") || strings.Contains(ct, "text/css"):
		return false
	case strings.Contains(ct, "html") || strings.HasPrefix(body, "<"):
		return !strings.Contains(x.Lower, "<article") && textAtMost(x.Lower, maxNotice) // no guard marks up what it says as an article
	}
	return len(body) <= maxNoticeRaw
}

// textAtMost reports whether a page shows at most n bytes of text. The page is in lower case.
func textAtMost(page string, n int) bool {
	for page != "" {
		text, tag, open := strings.Cut(page, "<")
		for _, word := range strings.Fields(text) {
			n -= len(word) + 1
		}
		if n < 0 {
			return false
		}
		if !open {
			break
		}
		end := ">"
		for _, e := range []string{"script", "style", "svg"} {
			if strings.HasPrefix(tag, e) {
				end = "</" + e
			}
		}
		if strings.HasPrefix(tag, "!--") {
			end = "-->"
		}
		_, page, _ = strings.Cut(tag, end)
		if strings.HasPrefix(end, "</") {
			_, page, _ = strings.Cut(page, ">")
		}
	}
	return true
}
