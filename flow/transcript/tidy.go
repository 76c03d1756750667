package transcript

import (
	"bytes"
	"regexp"
	"sync"
)

var (
	// SGR sequences: curl writes the names of fields in bold.
	colours = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[0-9;]*m") })
	// One state of curl's progress meter (src/tool_progress.c and lib/progress.c: twelve columns).
	meter = sync.OnceValue(func() *regexp.Regexp {
		const amount = `[\d.]+[kMGTP]? +`
		return regexp.MustCompile(`(?m)(?:^|\r) *\d{1,3} +` + amount + `\d{1,3} +` + amount + `\d{1,3} +` + amount + amount + amount +
			`[-:\ddh]+ +[-:\ddh]+ +[-:\ddh]+ +[\d.]+[kMGTP]?(?:\r*\n)?`)
	})
	meterTitle = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^\r? *% Total +% Received % Xferd .*\n.*Dload +Upload +Total +Spent +Left +Speed\r?\n`)
	})
	// --trace-time and --trace-ids before a line of curl -v.
	traceTime = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{6} (?:\[[\dx-]+\] )?([*<>{}] |[<>]\r*$)`)
	})
)

// tidy removes what terminals, curl's progress meter and trackers put around the text.
func tidy(text []byte) []byte {
	if bytes.Contains(text, []byte("\x1b[")) {
		text = colours().ReplaceAll(text, nil)
	}
	text = flush(text)
	if bytes.Contains(text, []byte("% Total")) {
		text = meterTitle().ReplaceAll(text, nil)
		text = meter().ReplaceAll(text, nil)
	}
	if bytes.Contains(text, []byte("\r\r\n")) { // CR LF that went through a terminal
		text = bytes.ReplaceAll(text, []byte("\r\r\n"), []byte("\r\n"))
	}
	if len(text) > 16 && text[2] == ':' && text[5] == ':' {
		text = traceTime().ReplaceAll(text, []byte("$1"))
	}
	return text
}

// flush takes away the indentation of a code block: what stands before the first
// message, from all lines that have it. It also drops a closing fence.
func flush(text []byte) []byte {
	indent := []byte(nil)
	for rest := text; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		bare := bytes.TrimLeft(line, " \t")
		if begins(bare) {
			indent = line[:len(line)-len(bare)]
			break
		}
	}
	if len(indent) > 0 {
		text = bytes.TrimPrefix(text, indent)
		text = bytes.ReplaceAll(text, append([]byte("\n"), indent...), []byte("\n"))
	}
	if t := bytes.TrimRight(text, " \t\r\n"); bytes.HasSuffix(t, []byte("\n```")) {
		text = t[:len(t)-3]
	}
	return text
}

// begins reports whether a line is the first of a message, raw or in curl's verbose form.
func begins(line []byte) bool {
	if len(line) > 1<<16 {
		line = line[:1<<16]
	}
	if m := marked(line); m == '>' || m == '<' {
		line = bytes.TrimPrefix(line[1:], []byte(" "))
	}
	return startLine(string(line)) != nil
}
