package ui

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// restated reports whether m went on with another head than the one it came with, beyond what a
// proxy must change: the form of the target and the fields that are meant for the proxy.
func restated(m *flow.Message) bool {
	if len(m.Head) == 0 {
		return false
	}
	head := string(m.Head)
	start, rest, _ := strings.Cut(head, "\n")
	start = strings.TrimSuffix(start, "\r")
	if m.Status != 0 {
		if !strings.HasSuffix(start, strings.TrimRight(strconv.Itoa(m.Status)+" "+m.Reason, " ")) && !strings.HasSuffix(start, strconv.Itoa(m.Status)+" "+m.Reason) {
			return true
		}
	} else if !strings.HasPrefix(start, m.Method+" ") || m.Proto != "" && m.Target != "*" && !strings.Contains(start, strings.TrimPrefix(m.Target, "/")+" ") {
		return true
	}
	for i := range m.Header {
		f := &m.Header[i]
		if f.Raw == "" || !strings.Contains(rest, f.Raw) {
			return true
		}
	}
	n := 0
	for line := range strings.SplitSeq(rest, "\n") {
		name, _, _ := strings.Cut(line, ":")
		switch {
		case strings.TrimRight(line, "\r") == "", line[0] == ' ', line[0] == '\t':
		case strings.EqualFold(name, "Proxy-Connection"), strings.EqualFold(name, "Proxy-Authorization"):
		default:
			n++
		}
	}
	return n != len(m.Header)
}

// headDocs are the head of m as it went on or, raw, as it came, with a word about it if these differ.
func headDocs(th *theme, m *flow.Message, raw bool) []document {
	if !restated(m) {
		return []document{newHeadDoc(m)}
	}
	if raw {
		return []document{pieces{{lit(th.warn, "as it came; it was changed on its way")}}, newHeadDoc(m)}
	}
	sent := *m
	sent.Head = nil
	return []document{pieces{{lit(th.warn, "changed on its way  "), said(th.key, string(keyOf(toggleRaw))), lit(th.muted, " as it came")}}, newHeadDoc(&sent)}
}
