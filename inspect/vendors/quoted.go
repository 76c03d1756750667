package vendors

import (
	"regexp"
	"strings"
)

// page marks the text of an HTML document.
var page = regexp.MustCompile(`(?i)(<|\\u003c)(!doctype|html|head|title|body|center|h[1-3]|p|pre|hr|div)\b`)

// relayed marks a text that tells what somebody else answered.
var relayed = regexp.MustCompile(`(?i)\b(upstream|partner|provider|remote|backend|responded|returned|answered|replied|got)\b|\b(request|fetch|call|connection|proxy) (to|failed|error)|\bstatus( ?code)?[ :=]{0,3}\d{3}|\bhttp[ /.\d]{0,6} ?\d{3}\b`)

// relays are the layers whose products answer with a page or a line of their
// own: what they say inside the text of a JSON document is somebody's report.
var relays = map[string]bool{"cdn-waf": true, "web-server": true, "load-balancer": true, "network-proxy": true}

// layer is where the decision is made.
func (s *Section) layer() string {
	if s.Layer != "" {
		return s.Layer
	}
	return s.Vendor.Layer
}

// reported reports whether what shows the section is part of a text inside a
// JSON document, in which an application tells what another server answered to it.
func (s *Section) reported(x *Exchange, quotes []Quote) bool {
	if !relays[s.layer()] {
		return false
	}
	for _, q := range quotes {
		if q.Where != "response.body" || q.Quote == "" {
			continue
		}
		text, at := jsonText(x.Body, q.Offset)
		if at < 0 || strings.TrimSpace(text) == strings.TrimSpace(q.Quote) {
			continue // no text in JSON, or the whole of one: that is the answer's own
		}
		if page.MatchString(text) || relayed.MatchString(text[:at]) {
			return true
		}
	}
	return false
}

// jsonText is the string of the JSON document in body, as it is written there,
// that holds the byte at offset, and where in it that byte stands: -1 if body is no
// object or array or the byte is in none of its strings.
func jsonText(body string, offset int) (string, int) {
	start := strings.IndexAny(body, "{[")
	if start < 0 || strings.TrimSpace(body[:start]) != "" {
		return "", -1
	}
	for i := start; i < len(body) && i <= offset; i++ {
		if body[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(body) && body[end] != '"' {
			if body[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(body))
		if offset < end {
			return body[i+1 : end], offset - i - 1
		}
		i = end
	}
	return "", -1
}
