package vendors

import "strings"

// Pages that refuse under a status of success say little else. Articles,
// documentation and chats that quote such a page say more.
const (
	maxNotice    = 3000 // bytes of text of a page, markup aside
	maxNoticeRaw = 1500 // bytes of any other body
)

// aboutItself reports whether what a section found in an accepted answer can be
// that answer's own word. Fields, log lines and values at a path of a JSON
// document always can; a phrase only in a body that holds little more than it.
func (s *Section) aboutItself(x *Exchange, quotes []Quote) bool {
	if st := x.Response.Status; st < 200 || st > 299 || len(quotes) == 0 {
		return true
	}
	for _, c := range s.Conds {
		if !c.Not && c.Kind == "json" {
			return true
		}
	}
	for _, q := range quotes {
		if q.Where != "response.body" {
			return true
		}
	}
	ct := Lower(x.Response.Header.Get("Content-Type"))
	body := strings.TrimSpace(x.Body)
	switch {
	case strings.Contains(ct, "javascript") || strings.Contains(ct, "ecmascript") || strings.Contains(ct, "text/css"):
		return false
	case strings.Contains(ct, "html") || strings.HasPrefix(body, "<"):
		return textAtMost(x.Lower, maxNotice)
	}
	return len(body) <= maxNoticeRaw
}

// textAtMost reports whether a page shows at most n bytes of text. The page is in lower case.
func textAtMost(page string, n int) bool {
	for page != "" {
		text, tag, open := strings.Cut(page, "<")
		if n -= len(strings.Join(strings.Fields(text), " ")); n < 0 {
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
